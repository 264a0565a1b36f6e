#include "live/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace timesink::live {

namespace {

[[noreturn]] void wait_and_exec(const std::vector<char*>& arguments, int go, int failure) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);  // timesink may hold back signals that the command should get
    signal(SIGPIPE, SIG_DFL);
    char byte = 0;
    if (read(go, &byte, 1) == 1) {
        execvp(arguments[0], arguments.data());
        const int error = errno;
        if (write(failure, &error, sizeof(error)) < 0) {
            _exit(126);
        }
    }
    _exit(127);
}

void close_end(int& fd) {
    if (fd >= 0) {
        close(fd);
    }
    fd = -1;
}

}  // namespace

Result<Command> Command::prepare(const std::vector<std::string>& arguments) {
    std::array<int, 2> go{};
    std::array<int, 2> failure{};
    if (arguments.empty() || arguments[0].empty()) {
        return Error{"the command is empty", EINVAL};
    }
    std::vector<char*> pointers;
    pointers.reserve(arguments.size() + 1);
    for (const auto& argument : arguments) {
        pointers.push_back(const_cast<char*>(argument.c_str()));  // execvp does not write to them
    }
    pointers.push_back(nullptr);
    if (pipe2(go.data(), O_CLOEXEC) != 0) {
        return Error{std::string("pipe: ") + std::strerror(errno), errno};
    }
    if (pipe2(failure.data(), O_CLOEXEC) != 0) {
        const int error = errno;
        close(go[0]);
        close(go[1]);
        return Error{std::string("pipe: ") + std::strerror(error), error};
    }
    const pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        wait_and_exec(pointers, go[0], failure[1]);
    }
    const int error = errno;
    close(go[0]);
    close(failure[1]);
    Command command;
    command.go_ = go[1];
    command.failure_ = failure[0];
    command.name_ = arguments[0];
    if (pid < 0) {
        return Error{std::string("fork: ") + std::strerror(error), error};
    }
    command.pid_ = static_cast<std::uint32_t>(pid);
    return command;
}

Command::Command(Command&& other) noexcept {
    *this = std::move(other);
}

Command& Command::operator=(Command&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(go_, other.go_);
    std::swap(failure_, other.failure_);
    std::swap(name_, other.name_);
    std::swap(status_, other.status_);
    return *this;
}

Command::~Command() {
    const bool unreleased = go_ >= 0;
    close_end(go_);
    close_end(failure_);
    if (pid_ != 0 && unreleased && !status_) {
        waitpid(static_cast<pid_t>(pid_), nullptr, 0);  // it leaves at once: its pipe is closed
    }
}

Status Command::release() {
    const char byte = 1;
    pollfd reader{.fd = go_, .events = POLLOUT, .revents = 0};
    ::poll(&reader, 1, 0);  // a child that is gone would make the write raise SIGPIPE
    const bool told = (reader.revents & POLLERR) == 0 && write(go_, &byte, 1) == 1;
    close_end(go_);
    int error = 0;
    const bool failed = read(failure_, &error, sizeof(error)) == sizeof(error);
    close_end(failure_);
    if (!told || failed) {
        poll();
        return Error{"'" + name_ + "' cannot be run: " + std::strerror(failed ? error : EPIPE), failed ? error : EPIPE};
    }
    return Done{};
}

std::optional<int> Command::poll() {
    int status = 0;
    if (!status_ && pid_ != 0 && waitpid(static_cast<pid_t>(pid_), &status, WNOHANG) == static_cast<pid_t>(pid_)) {
        status_ = status;
    }
    return status_;
}

}  // namespace timesink::live
