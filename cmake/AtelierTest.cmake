# atelier_test(NAME SOURCES … LINK …): one gtest program for a room. The suite's name chooses the CTest label:
# Peers…, Assets…, Python…, Long… and EndToEnd… get peers, assets, python, long and e2e; all else is unit.
find_package(GTest REQUIRED)
include(GoogleTest)

function(atelier_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  atelier_warnings(test_${name})
  target_compile_options(test_${name} PRIVATE -O1)
  foreach(lib ${ARG_LINK})
    if(TARGET atelier_${lib})
      target_link_libraries(test_${name} PRIVATE atelier_${lib})
    else()
      target_link_libraries(test_${name} PRIVATE ${lib})
    endif()
  endforeach()
  target_link_libraries(test_${name} PRIVATE GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(test_${name} PRIVATE
    ATELIER_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ATELIER_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set(special "")
  foreach(pair Peers:peers Assets:assets Python:python Long:long EndToEnd:e2e)
    string(REPLACE ":" ";" pair ${pair})
    list(GET pair 0 suite)
    list(GET pair 1 label)
    list(APPEND special "${suite}*")
    gtest_discover_tests(test_${name} TEST_FILTER "${suite}*" TEST_LIST ${name}_${label} NO_PRETTY_VALUES DISCOVERY_MODE PRE_TEST
      DISCOVERY_TIMEOUT 60 PROPERTIES LABELS ${label})
  endforeach()
  list(JOIN special ":" special)
  gtest_discover_tests(test_${name} TEST_FILTER "-${special}" TEST_LIST ${name}_unit NO_PRETTY_VALUES DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
endfunction()
