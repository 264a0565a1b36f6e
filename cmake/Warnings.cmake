# Every target of ours links timesink_options: warnings are errors, and the sanitizers and clang-tidy hang on it.
add_library(timesink_options INTERFACE)
# Designated initializers leave out members that have defaults: that is their use, not a mistake.
target_compile_options(timesink_options INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers)
target_include_directories(timesink_options INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/userspace)
if(TIMESINK_SANITIZE)
  # One build for the tests and the libFuzzer targets: what guides the fuzzer (fuzzer-no-link) is in all of it.
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "TIMESINK_SANITIZE needs clang++, for libFuzzer: cmake --preset asan")
  endif()
  target_compile_options(timesink_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(timesink_options INTERFACE -fsanitize=address,undefined)
endif()
