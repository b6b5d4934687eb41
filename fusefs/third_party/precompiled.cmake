# Headers that are read once for many targets.
# A precompiled header fits only where the macros are the same.
target_compile_definitions(partialfs_flags INTERFACE
    $<TARGET_PROPERTY:linked_spdlog,INTERFACE_COMPILE_DEFINITIONS>)

# precompile_headers(NAME HEADER DIRECTORY...): every target below the directories takes HEADER precompiled, by a
# library NAME.
function(precompile_headers name header)
    add_library(${name} STATIC ${PROJECT_SOURCE_DIR}/fusefs/third_party/precompiled.cpp)
    target_link_libraries(${name} PRIVATE partialfs_flags linked_spdlog)
    target_precompile_headers(${name} PRIVATE ${header})
    set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
    foreach(directory ${ARGN})
        take_precompiled(${name} ${CMAKE_CURRENT_SOURCE_DIR}/${directory})
    endforeach()
endfunction()

function(take_precompiled name directory)
    get_property(below DIRECTORY ${directory} PROPERTY SUBDIRECTORIES)
    foreach(one ${below})
        take_precompiled(${name} ${one})
    endforeach()
    get_property(targets DIRECTORY ${directory} PROPERTY BUILDSYSTEM_TARGETS)
    list(REMOVE_ITEM targets linked_fmt linked_spdlog ${name})
    foreach(target ${targets})
        get_target_property(type ${target} TYPE)
        if(type MATCHES "LIBRARY|EXECUTABLE" AND NOT type STREQUAL INTERFACE_LIBRARY)
            set_target_properties(${target} PROPERTIES PRECOMPILE_HEADERS_REUSE_FROM ${name})
        endif()
    endforeach()
endfunction()
