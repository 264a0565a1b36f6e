// What a system call costs with timesink attached: to the thread that makes it (a target's or not), beside the same loop without.
// Rounds of plain, attached, attached, plain, so that drift of the machine cancels out. Prints; asserts nothing.
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "live/session.hpp"

namespace {

using timesink::live::Session;

constexpr int kCalls = 200'000;

struct Loop {
    const char* name;
    std::function<void()> once;
    int calls_each;
};

/// Of this thread alone: others may use the machine.
double cpu_time_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double ns_per_call(const Loop& loop) {
    const int rounds = kCalls / loop.calls_each;
    const double begin = cpu_time_ns();
    for (int i = 0; i < rounds; i++) {
        loop.once();
    }
    return (cpu_time_ns() - begin) / (rounds * loop.calls_each);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

std::array<int, 2> pair{};
std::array<int, 2> pipes{};
std::array<char, 4096> buffer{};

void open_ends() {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) != 0 || pipe(pipes.data()) != 0) {
        std::perror("socketpair");
        std::exit(1);
    }
}

/// Asks a child that is the target (or a bystander) to run a loop, so that timesink's own thread stays out of it.
class Runner {
public:
    explicit Runner(const std::vector<Loop>& loops) {
        if (pipe(ask_.data()) != 0 || pipe(answer_.data()) != 0) {
            std::perror("pipe");
            std::exit(1);
        }
        pid_ = fork();
        if (pid_ == 0) {
            close(ask_[1]);
            open_ends();  // its own: a bystander must not write to a target's sockets
            unsigned char which = 0;
            while (read(ask_[0], &which, 1) == 1) {
                const double ns = ns_per_call(loops[which]);
                if (write(answer_[1], &ns, sizeof(ns)) != sizeof(ns)) {
                    break;
                }
            }
            _exit(0);
        }
    }
    double run(std::size_t which, Session* session) {
        const auto byte = static_cast<unsigned char>(which);
        double ns = 0;
        if (write(ask_[1], &byte, 1) != 1) {
            return 0;
        }
        std::thread drainer;
        if (session != nullptr) {
            // The rings are emptied while the loop runs, as in real use.
            drainer = std::thread([&] {
                for (int i = 0; i < 5; i++) {
                    std::this_thread::sleep_for(session->drain_interval());
                    const auto ignored = session->drain();
                    (void)ignored;
                }
            });
        }
        const bool answered = read(answer_[0], &ns, sizeof(ns)) == sizeof(ns);
        if (drainer.joinable()) {
            drainer.join();
        }
        return answered ? ns : 0;
    }
    [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

private:
    std::array<int, 2> ask_{};
    std::array<int, 2> answer_{};
    pid_t pid_ = 0;
};

std::unique_ptr<Session> attach(std::uint32_t pid, bool raw) {
    timesink::live::SessionOptions options;
    options.selection.pids = {pid};
    options.ring_bytes = std::size_t{64} << 20;
    options.raw_tracepoints = raw;
    auto session = Session::open(options, [](std::span<const std::byte>) {});
    if (!session) {
        std::fprintf(stderr, "%s\n", session.error().what.c_str());
        std::exit(1);
    }
    // Past the window in which the kernel measures the programs, which costs as much as they do.
    for (int i = 0; i < 35; i++) {
        std::this_thread::sleep_for((*session)->drain_interval());
        const auto ignored = (*session)->drain();
        (void)ignored;
    }
    return std::move(*session);
}

}  // namespace

int main(int count, char** arguments) {
    const bool raw = count > 1 && std::string(arguments[1]) == "raw";
    const auto move = [](int from, int to, std::size_t bytes) {
        if (write(to, buffer.data(), bytes) < 0 || read(from, buffer.data(), bytes) < 0) {
            std::abort();
        }
    };
    const std::vector<Loop> loops{
        {"getppid", [] { syscall(SYS_getppid); }, 1},
        {"pipe write+read 100 B", [=] { move(pipes[0], pipes[1], 100); }, 2},
        {"socket write+read 100 B", [=] { move(pair[0], pair[1], 100); }, 2},
        {"socket write+read 4096 B", [=] { move(pair[0], pair[1], 4096); }, 2},
    };
    Runner target(loops);
    Runner bystander(loops);
    std::printf("%-26s %10s %12s %12s   ns a call, median of pairs (%s)\n", "call", "plain", "target +", "bystander +",
                raw ? "raw_tp" : "tp_btf");
    for (std::size_t i = 0; i < loops.size(); i++) {
        std::vector<double> plain;
        std::vector<double> target_extra;
        std::vector<double> bystander_extra;
        for (int round = 0; round < 5; round++) {
            const double a = target.run(i, nullptr);
            const double b = bystander.run(i, nullptr);
            auto session = attach(target.pid(), raw);
            const double attached = target.run(i, session.get());
            const double beside = bystander.run(i, session.get());
            const double attached_again = target.run(i, session.get());
            const double beside_again = bystander.run(i, session.get());
            session.reset();
            const double a_again = target.run(i, nullptr);
            const double b_again = bystander.run(i, nullptr);
            plain.push_back((a + a_again) / 2);
            target_extra.push_back((attached + attached_again - a - a_again) / 2);
            bystander_extra.push_back((beside + beside_again - b - b_again) / 2);
        }
        std::printf("%-26s %10.0f %12.0f %12.0f\n", loops[i].name, median(plain), median(target_extra), median(bystander_extra));
        std::fflush(stdout);
    }
    return 0;
}
