# Target `tidy`: clang-tidy on every source of the program, each by itself, its findings as errors (.clang-tidy). Nothing is compiled: as a part of the
# compilation (CMAKE_CXX_CLANG_TIDY) it would take twice as long. A file is looked at again when it changes, or the rules, not when a header does.
find_program(TIMESINK_CLANG_TIDY NAMES clang-tidy-14 clang-tidy REQUIRED)
# The analyzer's deep mode takes two thirds of the time of all the checks together.
set(ANALYZER_SHALLOW --extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=mode=shallow)
file(GLOB_RECURSE TIDIED CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/userspace/*.cpp)
foreach(SOURCE ${TIDIED})
  set(STAMP ${PROJECT_BINARY_DIR}/tidy/${SOURCE}.ok)
  get_filename_component(FOLDER ${STAMP} DIRECTORY)
  file(MAKE_DIRECTORY ${FOLDER})
  add_custom_command(OUTPUT ${STAMP}
    COMMAND ${TIMESINK_CLANG_TIDY} -p ${PROJECT_BINARY_DIR} --quiet ${ANALYZER_SHALLOW} ${PROJECT_SOURCE_DIR}/${SOURCE}
    COMMAND ${CMAKE_COMMAND} -E touch ${STAMP}
    DEPENDS ${SOURCE} .clang-tidy timesink_skeleton
    COMMENT "clang-tidy ${SOURCE}" VERBATIM)
  list(APPEND STAMPS ${STAMP})
endforeach()
add_custom_target(tidy DEPENDS ${STAMPS})
