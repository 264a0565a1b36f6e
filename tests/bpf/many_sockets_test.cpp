#include <sys/resource.h>

#include <map>
#include <vector>

#include "recorded_run.hpp"
#include "subject_sockets.hpp"

namespace timesink::test {
namespace {

/// Both ends are the subject's: of 3,000 sockets some hundred want a slot of bpf/socket_table.h that another has.
constexpr std::size_t kConnections = 1500;
constexpr int kRounds = 2;  ///< the second finds the addresses of the first, which are others' now

bool may_open(rlim_t descriptors) {
    const rlimit limit{descriptors, descriptors};
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/// Each connection carries as many bytes as its number says, so that no two can be taken for one another.
int exchange_on_all() {
    const auto loopback = listen_on_loopback(AF_INET);
    const std::string text(kConnections, 'x');
    std::vector<int> ends;
    for (std::size_t i = 1; i <= kConnections; i++) {
        const int client = connect_to(loopback);
        const int server = accept(loopback.listener, nullptr, nullptr);
        if (client < 0 || server < 0 || write(client, text.data(), i) != static_cast<ssize_t>(i)) {
            return 1;
        }
        ends.insert(ends.end(), {client, server});
    }
    for (std::size_t i = 1; i <= kConnections; i++) {
        if (!read_all(ends[2 * i - 1], i)) {
            return 2;
        }
    }
    for (const int end : ends) {
        close(end);
    }
    close(loopback.listener);
    return 0;
}

struct Seen {
    std::uint64_t written = 0;
    std::uint64_t read = 0;
    int setups = 0;  ///< connect, accept
    int closes = 0;
    bool operator==(const Seen&) const = default;
};

std::map<std::uint64_t, Seen> by_socket(const Records& run) {
    std::map<std::uint64_t, Seen> seen;
    for (const auto& [call, counts, head, tail] : run.calls) {
        Seen& socket = seen[call.socket];
        const bool moves = call.operation == TS_OPERATION_READ || call.operation == TS_OPERATION_WRITE;
        if (moves) {
            std::uint64_t& moved = call.operation == TS_OPERATION_READ ? socket.read : socket.written;
            EXPECT_EQ(call.stream_begin, moved);
            moved += static_cast<std::uint64_t>(call.result);
        } else {
            (call.operation == TS_OPERATION_CLOSE ? socket.closes : socket.setups)++;
        }
    }
    return seen;
}

class ManySockets : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Kinds, ManySockets, testing::Values(false, true),
                         [](const auto& info) { return std::string(info.param ? "raw_tp" : "tp_btf"); });

TEST_P(ManySockets, EachIsToldApartFromAllOthersAndFromThoseBeforeIt) {
    Subject subject([] { return may_open(4 * kConnections) ? 0 : 1; },
                    [] {
                        for (int round = 0; round < kRounds; round++) {
                            if (const int status = exchange_on_all(); status != 0) {
                                return status;
                            }
                        }
                        return 0;
                    });
    live::SessionOptions options;
    options.raw_tracepoints = GetParam();
    TIMESINK_RECORD(run, subject, options);
    const auto seen = by_socket(run);
    std::map<std::uint64_t, int> written;  // bytes: connections
    std::map<std::uint64_t, int> read;
    for (const auto& socket : run.sockets) {
        if (socket.origin == TS_SOCKET_LISTEN) {
            continue;
        }
        const auto found = seen.find(socket.socket);
        ASSERT_NE(found, seen.end());
        EXPECT_EQ(found->second, (Seen{found->second.written, found->second.read, 1, 1}));
        if (socket.origin == TS_SOCKET_CONNECT) {
            EXPECT_EQ(found->second.read, 0U);
            written[found->second.written]++;
        } else {
            EXPECT_EQ(found->second.written, 0U);
            read[found->second.read]++;
        }
    }
    EXPECT_EQ(written.size(), kConnections);
    EXPECT_EQ(read.size(), kConnections);
    for (std::uint64_t bytes = 1; bytes <= kConnections; bytes++) {
        EXPECT_EQ(written[bytes], kRounds) << bytes;
        EXPECT_EQ(read[bytes], kRounds) << bytes;
    }
}

}  // namespace
}  // namespace timesink::test
