# timesink_library(NAME [USES folder...] [LINKS target...])
# One static library per folder of userspace/. USES are the folders that it may include from: the arrows of the architecture, checked
# against the sources by scripts/check-arrows, which reads these very calls.
#
# With sanitizers, sources are compiled eight at a time, for which two in a folder must not call something of their own by the same name (or have
# SKIP_UNITY_BUILD_INCLUSION): half of the time goes into headers. Not otherwise, where each source has to name the headers that it needs.
function(timesink_library NAME)
  cmake_parse_arguments(ARG "" "" "USES;LINKS" ${ARGN})
  file(GLOB_RECURSE SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${NAME}/*.cpp)
  if(SOURCES)
    add_library(timesink_${NAME} STATIC ${SOURCES})
    set_target_properties(timesink_${NAME} PROPERTIES UNITY_BUILD ${TIMESINK_SANITIZE} UNITY_BUILD_BATCH_SIZE 8)
    set(SCOPE PUBLIC)
  else()
    add_library(timesink_${NAME} INTERFACE)
    set(SCOPE INTERFACE)
  endif()
  target_link_libraries(timesink_${NAME} ${SCOPE} timesink_options ${ARG_LINKS})
  foreach(USED ${ARG_USES})
    target_link_libraries(timesink_${NAME} ${SCOPE} timesink_${USED})
  endforeach()
endfunction()
