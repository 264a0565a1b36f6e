#pragma once

#include <cstdint>

#include "base/result.hpp"

namespace timesink::live {

/// A child process that makes every probe fire once it is told to: a TCP exchange with itself over loopback, a fork, an exec, a
/// sleep. Ends by itself after some seconds at most.
class Exercise {
public:
    /// The child holds a listening socket and a connection already, so that there is something to list at the attach.
    static Result<Exercise> prepare();
    Exercise(Exercise&& other) noexcept;
    Exercise& operator=(Exercise&&) = delete;
    Exercise(const Exercise&) = delete;
    Exercise& operator=(const Exercise&) = delete;
    ~Exercise();

    [[nodiscard]] std::uint32_t pid() const { return pid_; }
    void go();
    bool ended();

private:
    Exercise() = default;
    std::uint32_t pid_ = 0;
    int go_ = -1;
    bool reaped_ = false;
};

}  // namespace timesink::live
