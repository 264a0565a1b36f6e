#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "live/command.hpp"
#include "live/discovery.hpp"
#include "live/facts.hpp"
#include "live/process_table.hpp"
#include "live/selection.hpp"
#include "timesink/abi/events.h"

namespace timesink::live {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Split, LeavesOutEmptyPieces) {
    EXPECT_THAT(split("  a b  c ", ' '), ElementsAre("a", "b", "c"));
    EXPECT_THAT(split("", ' '), IsEmpty());
}

TEST(Selection, EachPartThatNamesNothingIsAnError) {
    const auto error = [](const Selection& selection) {
        const auto selected = select_processes(selection);
        return selected ? std::string("selected") : selected.error().what;
    };
    EXPECT_THAT(error({}), HasSubstr("nothing is selected"));
    EXPECT_EQ(error({.pids = {4'000'000}, .ports = {}, .comms = {}, .cgroups = {}, .command = {}}),
              "process 4000000: no such process");
    EXPECT_THAT(error({.pids = {}, .ports = {1}, .comms = {}, .cgroups = {}, .command = {}}), HasSubstr("port 1: "));
    EXPECT_EQ(error({.pids = {}, .ports = {}, .comms = {"no such name"}, .cgroups = {}, .command = {}}),
              "command name 'no such name': no such process");
    EXPECT_EQ(error({.pids = {}, .ports = {}, .comms = {}, .cgroups = {"/no/such/group"}, .command = {}}),
              "cgroup '/no/such/group': no such group");
}

TEST(Selection, TimesinkItselfIsNeverATarget) {
    const auto parent = static_cast<std::uint32_t>(getppid());
    const auto self = static_cast<std::uint32_t>(getpid());
    const auto selected =
        select_processes({.pids = {parent, self, parent}, .ports = {}, .comms = {}, .cgroups = {}, .command = {}});
    ASSERT_TRUE(selected.ok());
    ASSERT_EQ(selected->size(), 1U);
    EXPECT_EQ((*selected)[0].pid, parent);
    EXPECT_EQ((*selected)[0].by, "pid");
}

TEST(FactRecord, IsAWholeRecordWithTheJsonInIt) {
    const auto record = fact_record({{"fact", "attached"}}, 17, 3);
    ts_fact fact{};
    ASSERT_GE(record.size(), sizeof(fact));
    std::memcpy(&fact, record.data(), sizeof(fact));
    EXPECT_EQ(fact.head.kind, TS_EVENT_FACT);
    EXPECT_EQ(fact.head.size, record.size());
    EXPECT_EQ(record.size() % 8, 0U);
    EXPECT_EQ(fact.head.cpu, TS_CPU_USERSPACE);
    EXPECT_EQ(fact.head.sequence, 3U);
    EXPECT_EQ(fact.head.time, 17U);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(record.data()) + sizeof(fact), fact.json_bytes),
              R"({"fact":"attached"})");
}

TEST(FactRecord, ThatIsTooLongLosesItsLongestParts) {
    Json body{{"fact", "process"}, {"pid", 7}, {"command_line", Json::array()}, {"executable", std::string(100'000, 'x')}};
    for (int i = 0; i < 20'000; i++) {
        body["command_line"].push_back("argument");
    }
    const auto record = fact_record(body, 0, 0);
    ts_fact fact{};
    std::memcpy(&fact, record.data(), sizeof(fact));
    EXPECT_EQ(fact.head.size, record.size());
    const auto read = Json::parse(std::string(reinterpret_cast<const char*>(record.data()) + sizeof(fact), fact.json_bytes));
    EXPECT_EQ(read["fact"], "process");
    EXPECT_EQ(read["pid"], 7);
    EXPECT_FALSE(read["command_line"].empty());
}

TEST(FactRecord, BytesThatAreNoTextDoNotThrow) {
    EXPECT_FALSE(fact_record({{"fact", "process"}, {"comm", "\xff\xfe"}}, 0, 0).empty());
}

TEST(ProcessStat, ReadsOurselves) {
    const auto stat = read_process_stat(static_cast<std::uint32_t>(getpid()));
    ASSERT_TRUE(stat.ok());
    EXPECT_EQ(stat->comm, std::string("unit_live"));
    EXPECT_EQ(stat->parent, static_cast<std::uint32_t>(getppid()));
    EXPECT_GE(stat->threads, 1U);
    EXPECT_GT(stat->rss_pages, 0U);
}

TEST(Runtime, OfThisTestIsNative) {
    const auto runtime = detect_runtime(static_cast<std::uint32_t>(getpid()));
    EXPECT_EQ(runtime.name, "native");
    EXPECT_FALSE(runtime.by_file_name);
}

TEST(Discovery, FindsOurOwnUnixListener) {
    const std::string path = "/tmp/timesink-unit-" + std::to_string(getpid());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(listener, 1), 0);
    const auto discovery = discover_listeners();
    close(listener);
    unlink(path.c_str());
    ASSERT_TRUE(discovery.ok());
    const auto found = std::find_if(discovery->listeners.begin(), discovery->listeners.end(),
                                    [&](const Listener& one) { return one.address == path; });
    ASSERT_NE(found, discovery->listeners.end());
    EXPECT_EQ(found->pid, static_cast<std::uint32_t>(getpid()));
    EXPECT_EQ(found->port, 0);
}

TEST(CommandBarrier, RunsNothingBeforeItsRelease) {
    const std::string file = "/tmp/timesink-barrier-" + std::to_string(getpid());
    unlink(file.c_str());
    {
        auto command = Command::prepare({"/bin/sh", "-c", ": > " + file});
        ASSERT_TRUE(command.ok());
        usleep(20'000);
        EXPECT_NE(access(file.c_str(), F_OK), 0);
        EXPECT_FALSE(command->poll().has_value());
        ASSERT_TRUE(command->release().ok());
        for (int i = 0; i < 500 && !command->poll(); i++) {
            usleep(10'000);
        }
        EXPECT_EQ(command->poll(), 0);
        EXPECT_EQ(access(file.c_str(), F_OK), 0);
    }
    unlink(file.c_str());
    {
        auto command = Command::prepare({"/bin/sh", "-c", ": > " + file});
        ASSERT_TRUE(command.ok());
    }
    EXPECT_NE(access(file.c_str(), F_OK), 0) << "a command that was never released has run";
}

}  // namespace
}  // namespace timesink::live
