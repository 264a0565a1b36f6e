#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "recorded_run.hpp"

namespace timesink::test {
namespace {

/// Both manners of putting programs at functions: by links, and, as with raw tracepoints, by events of perf.
class Functions : public testing::TestWithParam<bool> {
protected:
    static live::SessionOptions options() {
        live::SessionOptions options;
        options.raw_tracepoints = GetParam();
        return options;
    }
};
INSTANTIATE_TEST_SUITE_P(Kinds, Functions, testing::Values(false, true),
                         [](const auto& info) { return std::string(info.param ? "raw_tp" : "tp_btf"); });

struct Sqlite {
    void* library = dlopen("libsqlite3.so.0", RTLD_NOW);
    void* database = nullptr;

    Sqlite() = default;
    Sqlite(const Sqlite&) = delete;
    Sqlite& operator=(const Sqlite&) = delete;
    ~Sqlite() {
        if (database != nullptr) {
            function<int(void*)>("sqlite3_close")(database);
        }
    }

    template <typename Function>
    Function* function(const char* name) const {
        return reinterpret_cast<Function*>(dlsym(library, name));
    }
    bool open() {
        auto* const open_database = library == nullptr ? nullptr : function<int(const char*, void**)>("sqlite3_open");
        return open_database != nullptr && open_database(":memory:", &database) == 0;
    }
    [[nodiscard]] bool ask(const char* question) const {
        auto* const execute = function<int(void*, const char*, void*, void*, char**)>("sqlite3_exec");
        return execute != nullptr && execute(database, question, nullptr, nullptr, nullptr) == 0;
    }
};

/// Asks on until it is told that the functions were found, and for a while: from two threads, for probes are of processes.
int ask_for(std::chrono::milliseconds time, const Sqlite& sqlite) {
    const auto until = std::chrono::steady_clock::now() + time;
    std::atomic<bool> asked = true;
    const auto go_on = [&] {
        while (asked && std::chrono::steady_clock::now() < until) {
            asked = sqlite.ask("SELECT 1");
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    };
    std::thread other(go_on);
    go_on();
    other.join();
    return asked ? 0 : 2;
}

TEST_P(Functions, WhatThreadsHaveALibraryDoIsTold) {
    Sqlite sqlite;
    if (sqlite.library == nullptr) {
        GTEST_SKIP() << "no libsqlite3";
    }
    Subject subject([&] { return sqlite.open() ? 0 : 1; }, [&] { return ask_for(std::chrono::seconds(4), sqlite); });
    TIMESINK_RECORD(run, subject, options());
    std::map<std::uint32_t, std::size_t> by_thread;
    for (const ts_engine_call& call : run.engine_calls) {
        ++by_thread[call.head.tid];
    }
    EXPECT_EQ(by_thread.size(), 2U);
    for (const auto& [thread, calls] : by_thread) {
        EXPECT_GE(calls, 20U);
    }
}

/// On newer kernels by a system call (uretprobe, uprobe), which is our doing. What a thread did is told with its next message.
TEST_P(Functions, WhatBringsProbesBackIsNoCallOfTheProgram) {
    Sqlite sqlite;
    if (sqlite.library == nullptr) {
        GTEST_SKIP() << "no libsqlite3";
    }
    const auto ask_and_tell = [&] {
        std::array<int, 2> ends{};
        if (ask_for(std::chrono::seconds(4), sqlite) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) {
            return 3;
        }
        return write(ends[0], "x", 1) == 1 ? 0 : 4;
    };
    Subject subject([&] { return sqlite.open() ? 0 : 1; }, ask_and_tell);
    TIMESINK_RECORD(run, subject, options());
    ASSERT_GE(run.engine_calls.size(), 100U);
    // A question is two calls of the engine and a sleep; of two threads, which need not ask alike often, one's sleeps are told.
    EXPECT_GE(run.count(TS_CLASS_SLEEP).calls, run.engine_calls.size() / 8);
    EXPECT_LT(run.count(TS_CLASS_OTHER).calls, run.engine_calls.size() / 20);
}

TEST_P(Functions, TheyAreLeftAsTheyWere) {
    Sqlite sqlite;
    if (!sqlite.open()) {
        GTEST_SKIP() << "no libsqlite3";
    }
    const auto* const step = sqlite.function<unsigned char>("sqlite3_step");
    constexpr std::size_t kBytes = 64;  // a probe stands within some instructions of the entry
    const std::string before(reinterpret_cast<const char*>(step), kBytes);
    bool probed = false;
    Subject subject([] { return 0; }, [&] { return ask_for(std::chrono::seconds(30), sqlite); });
    const auto code_of_subject = [&] {
        std::string code(kBytes, '\0');
        const int memory = ::open(("/proc/" + std::to_string(subject.pid()) + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
        const auto read = pread(memory, code.data(), code.size(), static_cast<off_t>(reinterpret_cast<std::uintptr_t>(step)));
        close(memory);
        return read == static_cast<ssize_t>(kBytes) ? code : std::string();
    };
    auto chosen = options();
    chosen.selection.pids = {subject.pid()};
    auto session = live::Session::open(chosen, [](std::span<const std::byte>) {});
    if (!session) {
        GTEST_SKIP() << session.error().what;
    }
    subject.go();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!probed && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for((*session)->drain_interval());
        ASSERT_TRUE((*session)->drain().ok());
        probed = code_of_subject() != before;
    }
    EXPECT_TRUE(probed);
    EXPECT_TRUE((*session)->close().ok());
    session->reset();
    EXPECT_FALSE(subject.ended());
    EXPECT_EQ(code_of_subject(), before);
}

}  // namespace
}  // namespace timesink::test
