# Builds the project on Debian 12, runs the tests that need no privileges, and makes a small image
# with the programs in it.
#
#   docker build -t partialfs .
#   docker run --rm partialfs
#       the corruption, its cause and the fix, shown by the model (needs no privileges)
#   docker run --rm --device /dev/fuse --cap-add SYS_ADMIN --security-opt apparmor=unconfined partialfs
#       the same on a real mount
#   docker run --rm -it partialfs mmapstress --help
ARG BASE=debian:12

FROM ${BASE} AS build
COPY scripts/install-deps.sh /src/scripts/install-deps.sh
RUN /src/scripts/install-deps.sh
COPY . /src
WORKDIR /src
ENV CCACHE_BASEDIR=/src CCACHE_NOHASHDIR=1
RUN cmake --preset release && cmake --build build/release
RUN ctest --test-dir build/release -L '^(unit|property)$' --output-on-failure --no-tests=error
RUN cd build/release && cpack -G DEB -B /out && mv /out/partialfs_*.deb /partialfs.deb

FROM ${BASE}
COPY --from=build /partialfs.deb /tmp/partialfs.deb
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends /tmp/partialfs.deb \
    && rm -rf /tmp/partialfs.deb /var/lib/apt/lists/*
COPY scripts/reproduce.sh /usr/share/partialfs/scripts/reproduce.sh
COPY scripts/support /usr/share/partialfs/scripts/support
CMD ["/usr/share/partialfs/scripts/reproduce.sh", "--installed"]
