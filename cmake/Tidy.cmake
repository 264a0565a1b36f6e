# Target `tidy`: clang-tidy on every source of the program, its findings as errors (.clang-tidy). Nothing is compiled: as a part of the
# compilation (CMAKE_CXX_CLANG_TIDY) it would take twice as long. Sources are looked at in batches (tidy_batch.py), and a batch is looked at again
# when one of its files changes, or the rules, not when a header does.
find_program(TIMESINK_CLANG_TIDY NAMES clang-tidy-14 clang-tidy REQUIRED)
set(TIMESINK_TIDY_BATCH 10 CACHE STRING "How many sources clang-tidy looks at at once")
# The analyzer's deep mode takes two thirds of the time of all the checks together.
set(ANALYZER_SHALLOW --extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=mode=shallow)
# The compiler finds what bugprone-reserved-identifier does (left out in .clang-tidy), without a look at every name of the standard library.
set(RESERVED_IDENTIFIERS --extra-arg=-Wreserved-identifier)
set(RULES ${PROJECT_SOURCE_DIR}/.clang-tidy)
set(BATCHED ${PROJECT_SOURCE_DIR}/cmake/tidy_batch.py)
set(TIDY ${TIMESINK_CLANG_TIDY} --quiet ${ANALYZER_SHALLOW} ${RESERVED_IDENTIFIERS} --config-file=${RULES})

# The sources of a batch have to be of one folder, which has one set of compiler flags.
file(GLOB FOLDERS CONFIGURE_DEPENDS LIST_DIRECTORIES true RELATIVE ${PROJECT_SOURCE_DIR}/userspace ${PROJECT_SOURCE_DIR}/userspace/*)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/tidy)
foreach(FOLDER ${FOLDERS})
  file(GLOB_RECURSE TIDIED CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/userspace/${FOLDER}/*.cpp)
  set(NUMBER 0)
  while(TIDIED)
    list(SUBLIST TIDIED 0 ${TIMESINK_TIDY_BATCH} BATCH)
    list(REMOVE_ITEM TIDIED ${BATCH})
    set(STAMP ${PROJECT_BINARY_DIR}/tidy/${FOLDER}_${NUMBER}.ok)
    add_custom_command(OUTPUT ${STAMP}
      COMMAND ${Python3_EXECUTABLE} ${BATCHED} ${STAMP} ${PROJECT_BINARY_DIR} ${BATCH} -- ${TIDY}
      DEPENDS ${BATCH} ${RULES} ${BATCHED} timesink_skeleton
      COMMENT "clang-tidy ${FOLDER} ${NUMBER}" VERBATIM)
    list(APPEND STAMPS ${STAMP})
    math(EXPR NUMBER "${NUMBER} + 1")
  endwhile()
endforeach()

# That it finds in batches what there is to be found.
set(PLANTED ${PROJECT_SOURCE_DIR}/tests/tidy/planted_test.py)
add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/tidy/planted.ok
  COMMAND ${Python3_EXECUTABLE} ${PLANTED} ${TIDY}
  COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/tidy/planted.ok
  DEPENDS ${PLANTED} ${RULES} ${BATCHED}
  COMMENT "clang-tidy: what is planted is found" VERBATIM)
add_custom_target(tidy DEPENDS ${STAMPS} ${PROJECT_BINARY_DIR}/tidy/planted.ok)
