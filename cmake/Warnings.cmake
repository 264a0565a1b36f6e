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
