# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# mmapstress inside the guest: its engine as a static program, and what it is told for each run.

# build_engine: sets $engine to the static program, built here unless one was given.
build_engine() {
    local build=$cache/engine
    if [ -n "$engine" ]; then
        { [ -x "$engine" ] && [ -f "$engine" ]; } || die "$exit_usage" "--engine: no program $engine"
        return
    fi
    need cmake cmake
    need ninja ninja-build
    [ -x "$build/tools/mmapstress/mmapstress-static" ] || need_room "$cache" 150
    note "building the static engine (a few minutes the first time)"
    with_lock engine cmake_engine "$build"
    engine=$build/tools/mmapstress/mmapstress-static
}

cmake_engine() {
    {
        cmake -S "$here/../.." -B "$1" -G Ninja --toolchain "$here/musl/toolchain.cmake" \
            -DCMAKE_EXE_LINKER_FLAGS=-s -DPARTIALFS_WERROR=OFF -DPARTIALFS_STATIC_ENGINE=ON &&
            nice -n 5 cmake --build "$1" --target mmapstress-static
    } >"$temporary/engine.log" 2>&1 ||
        die "$exit_unknown" "the static engine does not build: $(grep -m 1 -iE 'error|not found' "$temporary/engine.log")"
}

# add_runs ROOT: the guest's numbered runs; prints how many.
add_runs() {
    local root=$1 number=0 label
    cp "$engine" "$root/mmapstress"
    for label in $(run_labels); do
        number=$((number + 1))
        mkdir "$root/runs/$number"
        {
            echo MMAPSTRESS_DIR=@DIR@
            echo MMAPSTRESS_REPORT=@RUN@/report.json
            if [ ${#schedules[@]} -gt 0 ]; then
                echo MMAPSTRESS_SCHEDULE=@RUN@/schedule
            else
                echo "MMAPSTRESS_WORKLOAD=$workload"
                echo "MMAPSTRESS_SEED=$label"
            fi
            printf '%s\n' "${engine_settings[@]}"
        } >"$root/runs/$number/env"
        [ ${#schedules[@]} -eq 0 ] || cp "${schedules[$((number - 1))]}" "$root/runs/$number/schedule"
        echo /mmapstress >"$root/runs/$number/argv"
        printf '%s\n' /mmapstress verify >"$root/runs/$number/verify"
    done
    echo "$number"
}
