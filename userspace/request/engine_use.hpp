#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace timesink::request {

/// What a statement that was executed in the process itself (SQLite) did with its time. Between its steps the program runs,
/// which takes the rows.
struct EngineUse {
    Duration first_step{};  ///< first step entered until it returned
    Duration inside{};      ///< in all steps together; first_step <= inside
    bool given_up = false;  ///< the program did not wait for the end of the rows
    // As its thread's record says, within first_step and what is taken for the others:
    Duration waited{};    ///< for locks of the database that others held
    Duration disk{};      ///< blocked in file I/O
    Duration runnable{};  ///< without a CPU
};

}  // namespace timesink::request
