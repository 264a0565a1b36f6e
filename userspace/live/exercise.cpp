#include "live/exercise.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

namespace timesink::live {

namespace {

constexpr unsigned kSecondsMost = 10;

struct Loopback {
    int listener = -1;
    sockaddr_in address{};
};

Loopback listen_somewhere() {
    Loopback loopback;
    loopback.address.sin_family = AF_INET;
    loopback.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(loopback.address);
    loopback.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto* address = reinterpret_cast<sockaddr*>(&loopback.address);
    if (bind(loopback.listener, address, length) != 0 || listen(loopback.listener, 4) != 0 ||
        getsockname(loopback.listener, address, &length) != 0) {
        loopback.listener = -1;
    }
    return loopback;
}

void exchange(const Loopback& loopback) {
    char byte = 'x';
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(client, reinterpret_cast<const sockaddr*>(&loopback.address), sizeof(loopback.address)) != 0) {
        return;
    }
    const int server = accept(loopback.listener, nullptr, nullptr);
    if (write(client, &byte, 1) == 1 && read(server, &byte, 1) == 1) {
        close(server);
    }
    close(client);
}

[[noreturn]] void exercise(int go, int ready) {
    alarm(kSecondsMost);
    const Loopback loopback = listen_somewhere();
    char byte = 0;
    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1) {
        _exit(1);
    }
    exchange(loopback);
    usleep(1000);
    const pid_t child = fork();
    if (child == 0) {
        usleep(1000);
        execlp("true", "true", nullptr);
        _exit(1);
    }
    waitpid(child, nullptr, 0);
    exchange(loopback);
    _exit(0);
}

}  // namespace

Result<Exercise> Exercise::prepare() {
    std::array<int, 2> go{};
    std::array<int, 2> ready{};
    if (pipe2(go.data(), O_CLOEXEC) != 0 || pipe2(ready.data(), O_CLOEXEC) != 0) {
        return Error{std::string("pipe: ") + std::strerror(errno), errno};
    }
    const pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        close(ready[0]);
        exercise(go[0], ready[1]);
    }
    const int error = errno;
    close(go[0]);
    close(ready[1]);
    Exercise child;
    child.go_ = go[1];
    child.reaped_ = pid < 0;
    child.pid_ = pid < 0 ? 0 : static_cast<std::uint32_t>(pid);
    char byte = 0;
    const bool prepared = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    if (pid < 0) {
        return Error{std::string("fork: ") + std::strerror(error), error};
    }
    if (!prepared) {
        return Error{"the child that fires the probes did not start", ECHILD};
    }
    return child;
}

Exercise::Exercise(Exercise&& other) noexcept
    : pid_(other.pid_), go_(std::exchange(other.go_, -1)), reaped_(std::exchange(other.reaped_, true)) {}

Exercise::~Exercise() {
    if (go_ >= 0) {
        close(go_);
    }
    if (!reaped_) {
        kill(static_cast<pid_t>(pid_), SIGKILL);
        waitpid(static_cast<pid_t>(pid_), nullptr, 0);
    }
}

void Exercise::go() {
    const char byte = 0;
    if (write(go_, &byte, 1) != 1) {
        ended();
    }
}

bool Exercise::ended() {
    reaped_ = reaped_ || waitpid(static_cast<pid_t>(pid_), nullptr, WNOHANG) == static_cast<pid_t>(pid_);
    return reaped_;
}

}  // namespace timesink::live
