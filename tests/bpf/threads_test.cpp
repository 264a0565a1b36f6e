#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "recorded_run.hpp"
#include "subject_sockets.hpp"

namespace timesink::test {
namespace {

class Threads : public testing::TestWithParam<bool> {
protected:
    static live::SessionOptions options() {
        live::SessionOptions options;
        options.raw_tracepoints = GetParam();
        return options;
    }
};
INSTANTIATE_TEST_SUITE_P(Kinds, Threads, testing::Values(false, true),
                         [](const auto& info) { return std::string(info.param ? "raw_tp" : "tp_btf"); });

const auto kNothing = [] { return 0; };

/// A record that carries the counts of what was done before it.
bool flush_counts() {
    std::array<int, 2> ends{};
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0 && write(ends[0], "x", 1) == 1;
}

TEST_P(Threads, CallsWithoutRecordAreCountedByClass) {
    Subject subject(kNothing, [] {
        std::string buffer(1000, 'b');
        std::array<int, 2> pipe_ends{};
        const int file = memfd_create("timesink", 0);
        for (int i = 0; i < 500; i++) {
            syscall(SYS_getpriority, PRIO_PROCESS, 0);
        }
        if (pipe(pipe_ends.data()) != 0 || write(file, buffer.data(), 1000) != 1000 ||
            pread(file, buffer.data(), 600, 0) != 600 || fsync(file) != 0 || write(pipe_ends[1], buffer.data(), 300) != 300 ||
            read(pipe_ends[0], buffer.data(), 300) != 300) {
            return 1;
        }
        void* memory = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(memory, 1 << 16, MADV_DONTNEED);
        munmap(memory, 1 << 20);
        syscall(SYS_close, 100000);
        usleep(3000);
        return flush_counts() ? 0 : 2;
    });
    TIMESINK_RECORD(run, subject, options());
    EXPECT_GE(run.count(TS_CLASS_OTHER).calls, 500U);
    EXPECT_EQ(run.count(TS_CLASS_FILE_WRITE).bytes, 1300U);
    EXPECT_GE(run.count(TS_CLASS_FILE_READ).bytes, 900U);  // and the byte that let the subject go
    EXPECT_LE(run.count(TS_CLASS_FILE_READ).bytes, 901U);
    EXPECT_EQ(run.count(TS_CLASS_FILE_SYNC).calls, 1U);
    EXPECT_GE(run.count(TS_CLASS_MEMORY_MAP).bytes, 1U << 20);
    EXPECT_GE(run.count(TS_CLASS_MEMORY_UNMAP).bytes, (1U << 20) + (1U << 16));
    EXPECT_EQ(run.count(TS_CLASS_FILE_OPEN).errors, 1U);
    EXPECT_GE(run.count(TS_CLASS_SLEEP).nanoseconds, 3'000'000U);
}

TEST_P(Threads, CallsThatNeitherWaitNorMoveAnythingAreNotLookedAt) {
    Subject subject(kNothing, [] {
        std::array<pollfd, 2> descriptors{{{STDIN_FILENO, POLLIN, 0}, {-1, POLLIN, 0}}};
        for (int i = 0; i < 500; i++) {
            syscall(SYS_getppid);
            syscall(SYS_poll, descriptors.data(), 1, 0);
        }
        for (int i = 0; i < 7; i++) {
            syscall(SYS_poll, descriptors.data(), 2, 0);
        }
        descriptors[0].fd = -1;
        syscall(SYS_poll, descriptors.data(), 1, 3);
        return flush_counts() ? 0 : 1;
    });
    TIMESINK_RECORD(run, subject, options());
    EXPECT_LT(run.count(TS_CLASS_OTHER).calls, 400U);
    EXPECT_GE(run.count(TS_CLASS_POLL).calls, 8U);
    EXPECT_LT(run.count(TS_CLASS_POLL).calls, 400U);
    EXPECT_GE(run.count(TS_CLASS_POLL).nanoseconds, 3'000'000U);
}

TEST_P(Threads, WhateverIsForkedIsATarget) {
    Subject subject(kNothing, [] {
        for (int i = 0; i < 20; i++) {
            const pid_t child = fork();
            if (child == 0) {
                std::thread([] { flush_counts(); }).join();
                _exit(flush_counts() ? 0 : 1);
            }
            int status = -1;
            if (waitpid(child, &status, 0) != child || status != 0) {
                return 1;
            }
        }
        return 0;
    });
    TIMESINK_RECORD(run, subject, options());
    std::set<std::uint32_t> forked;
    std::set<std::uint32_t> ended;
    std::set<std::uint32_t> wrote;
    for (const auto& task : run.tasks) {
        (task.operation == TS_TASK_FORK ? forked : ended).insert(task.head.tid);
    }
    for (const auto& recorded : run.calls) {
        wrote.insert(recorded.call.head.tid);
    }
    EXPECT_EQ(forked.size(), 40U);
    EXPECT_TRUE(std::includes(ended.begin(), ended.end(), forked.begin(), forked.end()));
    EXPECT_TRUE(std::includes(wrote.begin(), wrote.end(), forked.begin(), forked.end()));
}

/// The sum that /proc/self/schedstat shows too, but brought up to date when it is read: there it is up to a tick old.
std::uint64_t cpu_time_of_thread() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(now.tv_nsec);
}

/// What no thread was charged for, of all CPUs since the boot: interrupts and what the hypervisor took (proc(5), /proc/stat).
std::uint64_t time_of_no_thread() {
    std::ifstream file("/proc/stat");
    std::string name;
    file >> name;
    std::array<std::uint64_t, 8> ticks{};
    for (auto& value : ticks) {
        file >> value;
    }
    const auto tick = 1'000'000'000ULL / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
    constexpr std::size_t kIrq = 5;
    constexpr std::size_t kSoftirq = 6;
    constexpr std::size_t kSteal = 7;
    return (ticks[kIrq] + ticks[kSoftirq] + ticks[kSteal]) * tick;
}

TEST_P(Threads, TimeOffTheCpuNeverOverlapsAndTheRestIsCpuTime) {
    std::array<int, 2> answer{};
    ASSERT_EQ(pipe(answer.data()), 0);
    Subject subject(kNothing, [=] {
        flush_counts();
        const std::uint64_t before = cpu_time_of_thread();
        const std::uint64_t nobodys_before = time_of_no_thread();
        volatile std::uint64_t work = 0;
        for (int round = 0; round < 40; round++) {
            for (int i = 0; i < 4'000'000; i++) {
                work = work + static_cast<std::uint64_t>(i);
            }
            usleep(2000);
        }
        const std::array<std::uint64_t, 2> spent{cpu_time_of_thread() - before, time_of_no_thread() - nobodys_before};
        flush_counts();
        return write(answer[1], spent.data(), sizeof(spent)) == sizeof(spent) ? 0 : 1;
    });
    TIMESINK_RECORD(run, subject, options());
    std::array<std::uint64_t, 2> spent{};
    ASSERT_EQ(read(answer[0], spent.data(), sizeof(spent)), static_cast<ssize_t>(sizeof(spent)));
    const auto used = static_cast<double>(spent[0]);
    const auto nobodys = static_cast<double>(spent[1]);
    ASSERT_EQ(run.calls.size(), 2U);
    const std::uint64_t begin = run.calls[0].call.head.time;
    const std::uint64_t end = run.calls[1].call.entered;
    std::uint64_t on = begin;
    std::uint64_t cpu = 0;
    std::size_t slept = 0;
    auto periods = run.off_cpus;  // a thread that moved between CPUs has them in several rings
    std::sort(periods.begin(), periods.end(), [](const auto& a, const auto& b) { return a.head.time < b.head.time; });
    for (const auto& off : periods) {
        if (off.head.tid != subject.pid() || off.head.time <= begin || off.off >= end) {
            continue;
        }
        EXPECT_GE(off.off, on);
        EXPECT_LE(off.off, off.woken);
        EXPECT_LE(off.woken, off.head.time);
        slept += off.state == TS_OFF_INTERRUPTIBLE && off.syscall == SYS_clock_nanosleep ? 1 : 0;
        cpu += off.off - on;
        on = off.head.time;
    }
    cpu += end - on;
    EXPECT_GE(slept, 30U);  // on a busy machine a sleep may be over before it began
    EXPECT_LE(slept, 40U);
    // Not less than what the scheduler charged but for its own work at each switch; more by what it does not charge to the
    // thread: interrupts and, on a virtual machine, stolen time (kernel/sched/core.c, update_rq_clock_task).
    EXPECT_GE(static_cast<double>(cpu), 0.97 * used - 4e6);
    EXPECT_LE(static_cast<double>(cpu), 1.05 * used + nobodys + 40e6);
    close(answer[0]);
    close(answer[1]);
}

TEST_P(Threads, WakerAndItsCallAreNamed) {
    Subject subject(kNothing, [] {
        std::array<int, 2> ends{};
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) {
            return 1;
        }
        constexpr std::size_t kTimes = 10;  // on a busy machine it may not wait yet when it is written to
        std::thread reader([&] { read_all(ends[1], kTimes); });
        bool written = true;
        for (std::size_t i = 0; i < kTimes; ++i) {
            usleep(20'000);
            written = write(ends[0], "x", 1) == 1 && written;
        }
        reader.join();
        return written ? 0 : 2;
    });
    TIMESINK_RECORD(run, subject, options());
    const bool named = std::any_of(run.off_cpus.begin(), run.off_cpus.end(), [&](const ts_off_cpu& off) {
        return off.syscall == SYS_read && off.waker_syscall == SYS_write && off.waker_tid == subject.pid() && off.fd >= 0;
    });
    EXPECT_TRUE(named);
}

TEST_P(Threads, LossesAreCountedWhereTheyHappen) {
    Subject subject(kNothing, [] {
        std::array<int, 2> ends{};
        std::string text(3000, 't');
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) {
            return 1;
        }
        for (int i = 0; i < 20000; i++) {
            if (write(ends[0], text.data(), text.size()) != 3000 || !read_all(ends[1], 3000, 3000)) {
                return 2;
            }
        }
        usleep(100'000);  // the rings are drained: what follows fits and says what was lost
        return read_all(ends[1], 0) && write(ends[0], text.data(), 1) == 1 ? 0 : 3;
    });
    auto small = options();
    small.ring_bytes = 65536;
    TIMESINK_RECORD(run, subject, small);
    std::uint64_t told = 0;
    std::uint64_t dropped = 0;
    std::uint64_t missing = 0;
    for (const auto& loss : run.losses) {
        told += loss.count;
        EXPECT_LE(loss.first, loss.last);
    }
    for (const auto& fact : run.facts) {
        dropped += fact.value("fact", "") == "drops" ? fact.value("count", std::uint64_t{0}) : 0;
    }
    for (const auto& [cpu, sequences] : run.sequences) {
        std::set<std::uint32_t> distinct(sequences.begin(), sequences.end());
        EXPECT_EQ(distinct.size(), sequences.size()) << "cpu " << cpu;
        missing += *distinct.rbegin() + 1 - distinct.size();
    }
    EXPECT_GT(dropped, 0U);
    EXPECT_GE(dropped, told);
    EXPECT_GE(dropped, missing);
    EXPECT_EQ(told, missing);
    // A thread's own numbers show it too: they are dense but for what was lost.
    auto calls = run.calls;
    std::sort(calls.begin(), calls.end(), [](const auto& a, const auto& b) { return a.call.head.time < b.call.head.time; });
    std::uint32_t last = 0;
    for (const auto& recorded : calls) {
        EXPECT_GE(recorded.call.thread_sequence, last);
        last = recorded.call.thread_sequence;
    }
}

TEST_P(Threads, FactsDescribeTheRun) {
    Subject subject(kNothing, [] { return flush_counts() ? 0 : 1; });
    TIMESINK_RECORD(run, subject, options());
    for (const auto* name :
         {"host", "timesink", "target", "process", "probe", "attached", "host_sample", "drops", "own_cost", "detached"}) {
        EXPECT_FALSE(run.fact(name).is_null()) << name;
    }
    EXPECT_EQ(run.fact("process").value("pid", 0U), subject.pid());
    EXPECT_EQ(run.fact("process").value("runtime", ""), "native");
    EXPECT_EQ(run.facts.back().value("fact", ""), "detached");
    EXPECT_GT(run.fact("own_cost").value("bpf_measured_ns", 0ULL), 0U);
    for (const auto& probe : run_recorded.probes) {
        EXPECT_TRUE(probe.attached || !probe.costs.empty()) << probe.name;
        EXPECT_TRUE(probe.type == "iter" || probe.type == (GetParam() ? "raw_tp" : "tp_btf"));
    }
}

TEST(Command, IsATargetFromItsFirstInstruction) {
    live::SessionOptions options;
    options.selection.command = {"/bin/sh", "-c", "/bin/true; exit 7"};
    Records run;
    auto session = live::Session::open(options, [&](std::span<const std::byte> bytes) { run.take(bytes); });
    if (!session) {
        ASSERT_TRUE(session.error().errno_value == EPERM || session.error().errno_value == ENOENT) << session.error().what;
        GTEST_SKIP() << session.error().what;
    }
    for (int i = 0; i < 500 && !(*session)->command_status(); i++) {
        std::this_thread::sleep_for((*session)->drain_interval());
        ASSERT_TRUE((*session)->drain().ok());
    }
    ASSERT_TRUE((*session)->close().ok());
    const auto status = (*session)->command_status();
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(WEXITSTATUS(*status), 7);
    EXPECT_EQ((*session)->targets_alive(), 0U);
    std::size_t execs = 0;
    for (const auto& task : run.tasks) {
        execs += task.operation == TS_TASK_EXEC ? 1 : 0;
    }
    EXPECT_EQ(execs, 2U);
}

TEST(Command, ThatCannotBeRunIsAnError) {
    live::SessionOptions options;
    options.selection.command = {"/nowhere/no-such-program"};
    auto session = live::Session::open(options, [](std::span<const std::byte>) {});
    ASSERT_FALSE(session.ok());
    if (session.error().errno_value == EPERM) {
        GTEST_SKIP() << session.error().what;
    }
    EXPECT_EQ(session.error().what, "'/nowhere/no-such-program' cannot be run: No such file or directory");
}

std::string output_of(const std::string& command) {
    std::string text;
    if (FILE* pipe = popen(command.c_str(), "r")) {
        std::array<char, 4096> chunk{};
        std::size_t got = 0;
        while ((got = fread(chunk.data(), 1, chunk.size(), pipe)) > 0) {
            text.append(chunk.data(), got);
        }
        pclose(pipe);
    }
    return text;
}

/// Ids of programs ("prog_id:") or maps ("map_id:") that a process holds by descriptors.
std::set<int> held_by(const std::string& field, pid_t pid) {
    std::set<int> ids;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fdinfo")) {
        std::ifstream file(entry.path());
        for (std::string word; file >> word;) {
            if (int id = 0; word == field && file >> id) {
                ids.insert(id);
            }
        }
    }
    return ids;
}

/// All that the kernel has; empty where there is no bpftool.
std::set<int> all(const std::string& kind) {
    std::set<int> ids;
    const auto list = nlohmann::json::parse(output_of("bpftool -j " + kind + " show 2>/dev/null"), nullptr, false);
    for (const auto& object : list.is_array() ? list : nlohmann::json::array()) {
        ids.insert(object.value("id", 0));
    }
    return ids;
}

TEST(Killed, LeavesNothingBehind) {
    Subject subject(kNothing, [] {
        usleep(5'000'000);
        return 0;
    });
    std::array<int, 2> ready{};
    ASSERT_EQ(pipe(ready.data()), 0);
    const pid_t agent = fork();
    if (agent == 0) {
        live::SessionOptions options;
        options.selection.pids = {subject.pid()};
        auto session = live::Session::open(options, [](std::span<const std::byte>) {});
        const char answer = session ? 'a' : 'n';
        if (write(ready[1], &answer, 1) == 1) {
            pause();
        }
        _exit(0);
    }
    char answer = 0;
    ASSERT_EQ(read(ready[0], &answer, 1), 1);
    const auto before = all("prog");
    const auto programs = held_by("prog_id:", agent);
    const auto maps = held_by("map_id:", agent);
    kill(agent, SIGKILL);
    waitpid(agent, nullptr, 0);
    if (answer == 'n') {
        GTEST_SKIP() << "probes cannot be attached here";
    }
    if (before.empty()) {
        GTEST_SKIP() << "bpftool is needed to look for programs";
    }
    EXPECT_TRUE(std::includes(before.begin(), before.end(), programs.begin(), programs.end()));
    EXPECT_GE(programs.size(), 10U);
    std::set<int> left;
    for (int i = 0; i < 100; i++) {  // the kernel frees them after a grace period
        left.clear();
        const auto programs_now = all("prog");
        const auto maps_now = all("map");
        std::set_intersection(programs.begin(), programs.end(), programs_now.begin(), programs_now.end(),
                              std::inserter(left, left.end()));
        std::set_intersection(maps.begin(), maps.end(), maps_now.begin(), maps_now.end(), std::inserter(left, left.end()));
        if (left.empty()) {
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_TRUE(left.empty()) << left.size() << " programs or maps are still there";
    EXPECT_FALSE(subject.ended());
}

}  // namespace
}  // namespace timesink::test
