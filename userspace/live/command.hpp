#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace timesink::live {

/// A command that waits before its exec. The child blocks on a pipe, so nothing of it runs before the probes are live, and
/// nothing is traced or signalled (not ptrace: that would change the target). When timesink ends before release(), the pipe
/// closes and the child leaves without having run anything.
class Command {
public:
    /// Forks; arguments[0] is looked up in PATH. Runs as timesink does.
    static Result<Command> prepare(const std::vector<std::string>& arguments);
    Command(Command&& other) noexcept;
    Command& operator=(Command&& other) noexcept;
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;
    ~Command();

    [[nodiscard]] std::uint32_t pid() const { return pid_; }
    /// Lets it exec. Error: the exec failed (no such program, not executable).
    Status release();
    /// As from waitpid(); empty while it runs.
    std::optional<int> poll();

private:
    Command() = default;
    std::uint32_t pid_ = 0;
    int go_ = -1;       ///< write end: one byte lets it exec
    int failure_ = -1;  ///< read end: closed by a successful exec, else it carries the errno
    std::string name_;
    std::optional<int> status_;
};

}  // namespace timesink::live
