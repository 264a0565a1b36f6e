# Every target of ours links timesink_options: warnings are errors, and the sanitizers and clang-tidy hang on it.
add_library(timesink_options INTERFACE)
# Designated initializers leave out members that have defaults: that is their use, not a mistake.
target_compile_options(timesink_options INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers)
target_include_directories(timesink_options INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/userspace)
if(TIMESINK_SANITIZE)
  target_compile_options(timesink_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(timesink_options INTERFACE -fsanitize=address,undefined)
endif()
if(TIMESINK_FUZZ)
  target_compile_options(timesink_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_link_options(timesink_options INTERFACE -fsanitize=address,undefined)
endif()
if(TIMESINK_TIDY)
  find_program(TIMESINK_CLANG_TIDY NAMES clang-tidy-14 clang-tidy REQUIRED)
  # The analyzer's deep mode takes two thirds of the time of all the checks together.
  set(ANALYZER_SHALLOW --extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=mode=shallow)
  set(CMAKE_CXX_CLANG_TIDY ${TIMESINK_CLANG_TIDY} --quiet --warnings-as-errors=* ${ANALYZER_SHALLOW})
endif()
