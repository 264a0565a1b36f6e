#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "recorded_run.hpp"
#include "subject_sockets.hpp"

namespace timesink::test {
namespace {

/// Both kinds of programs must tell the same.
class Sockets : public testing::TestWithParam<bool> {
protected:
    static live::SessionOptions options() {
        live::SessionOptions options;
        options.raw_tracepoints = GetParam();
        return options;
    }
};
INSTANTIATE_TEST_SUITE_P(Kinds, Sockets, testing::Values(false, true),
                         [](const auto& info) { return std::string(info.param ? "raw_tp" : "tp_btf"); });

const auto kNothing = [] { return 0; };

void expect_contiguous(const std::vector<RecordedCall>& calls, std::uint64_t from) {
    for (const auto& recorded : calls) {
        EXPECT_EQ(recorded.call.stream_begin, from);
        if ((recorded.call.flags & TS_CALL_PEEK) == 0 && recorded.call.result > 0) {
            from += static_cast<std::uint64_t>(recorded.call.result);
        }
    }
}

/// Every byte that was read had arrived before, says an arrival.
void expect_arrivals_first(const Records& run, const ts_socket& socket) {
    for (const auto& recorded : run.on_socket(socket.socket, TS_OPERATION_READ)) {
        if (recorded.call.result <= 0) {
            continue;
        }
        const auto end = recorded.call.stream_begin + static_cast<std::uint64_t>(recorded.call.result);
        const bool arrived = end <= socket.rx_position + socket.unread ||
                             std::any_of(run.arrivals.begin(), run.arrivals.end(), [&](const ts_arrival& arrival) {
                                 return arrival.socket == socket.socket && arrival.stream_end >= end &&
                                        arrival.head.time <= recorded.call.head.time;
                             });
        EXPECT_TRUE(arrived) << "bytes up to " << end;
    }
}

void check_exchange(int family, const std::vector<std::string>& leave_out = {}) {
    SCOPED_TRACE(family);
    const auto text = numbered_text(10000);
    Subject subject(kNothing, [=] {
        const auto loopback = listen_on_loopback(family);
        const int client = connect_to(loopback);
        if (client < 0 || write(client, text.data(), 9000) != 9000) {
            return 1;
        }
        const int server = accept(loopback.listener, nullptr, nullptr);  // the bytes are there already
        if (!read_all(server, 9000) || send(server, text.data(), 10000, 0) != 10000 || !read_all(client, 10000, 3000)) {
            return 2;
        }
        close(client);
        char byte = 0;
        if (read(server, &byte, 1) != 0) {
            return 3;
        }
        close(server);
        close(loopback.listener);
        return 0;
    });
    live::SessionOptions options;
    options.raw_tracepoints = Sockets::GetParam();
    options.leave_out = leave_out;
    TIMESINK_RECORD(run, subject, options);
    const auto wanted = static_cast<std::uint16_t>(family);
    const auto* listener = run.socket_of_origin(TS_SOCKET_LISTEN, wanted);
    const auto* client = run.socket_of_origin(TS_SOCKET_CONNECT, wanted);
    const auto* server = run.socket_of_origin(TS_SOCKET_PASSIVE, wanted);
    ASSERT_TRUE(listener != nullptr && client != nullptr && server != nullptr);
    EXPECT_EQ(client->is_server, 0);
    EXPECT_EQ(server->is_server, 1);
    EXPECT_EQ(server->local_port, listener->local_port);
    EXPECT_EQ(client->remote_port, listener->local_port);
    EXPECT_EQ(client->local_port, server->remote_port);
    EXPECT_EQ(run.sockets.size(), 3U);
    const auto accepts = run.on_socket(server->socket, TS_OPERATION_ACCEPT);
    ASSERT_EQ(accepts.size(), 1U);
    EXPECT_LE(server->head.time, accepts[0].call.entered);
    EXPECT_EQ(run.on_socket(client->socket, TS_OPERATION_CONNECT).size(), 1U);
    EXPECT_EQ(run.moved(client->socket, TS_OPERATION_WRITE), 9000U);
    EXPECT_EQ(run.moved(server->socket, TS_OPERATION_READ), 9000U);
    EXPECT_EQ(run.moved(server->socket, TS_OPERATION_WRITE), 10000U);
    EXPECT_EQ(run.moved(client->socket, TS_OPERATION_READ), 10000U);
    for (const auto* socket : {client, server}) {
        expect_contiguous(run.on_socket(socket->socket, TS_OPERATION_READ), 0);
        expect_contiguous(run.on_socket(socket->socket, TS_OPERATION_WRITE), 0);
        expect_arrivals_first(run, *socket);
        EXPECT_EQ(run.on_socket(socket->socket, TS_OPERATION_CLOSE).size(), 1U);
    }
    const auto reads = run.on_socket(server->socket, TS_OPERATION_READ);
    ASSERT_FALSE(reads.empty());
    EXPECT_EQ(reads.back().call.result, 0);  // the end of the stream
    const auto sent = run.on_socket(server->socket, TS_OPERATION_WRITE);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].head, text.substr(0, 4096));
    EXPECT_EQ(sent[0].tail, text.substr(10000 - 64));
    // The end of the stream is no byte, although TCP's sequence numbers count it.
    for (const auto& arrival : run.arrivals) {
        EXPECT_LE(arrival.stream_end, arrival.socket == server->socket ? 9000U : 10000U);
    }
}

TEST_P(Sockets, TcpExchangeIsSeenWhole) {
    check_exchange(AF_INET);
    check_exchange(AF_INET6);
}

TEST_P(Sockets, ArrivalsAreSeenWithoutDataReady) {
    check_exchange(AF_INET, {"sk_data_ready"});
    check_exchange(AF_INET6, {"sk_data_ready"});
}

TEST_P(Sockets, HandshakeEndsBeforeConnectReturns) {
    Subject subject(kNothing, [] { return connect_to(listen_on_loopback(AF_INET)) < 0 ? 1 : 0; });
    TIMESINK_RECORD(run, subject, options());
    const auto* client = run.socket_of_origin(TS_SOCKET_CONNECT, AF_INET);
    ASSERT_NE(client, nullptr);
    const auto connects = run.on_socket(client->socket, TS_OPERATION_CONNECT);
    ASSERT_EQ(connects.size(), 1U);
    const auto established = std::find_if(run.states.begin(), run.states.end(), [&](const ts_socket_state& state) {
        return state.socket == client->socket && state.new_state == 1;
    });
    ASSERT_NE(established, run.states.end());
    EXPECT_LE(connects[0].call.entered, established->head.time);
    EXPECT_LE(established->head.time, connects[0].call.head.time);
}

TEST_P(Sockets, RefusedConnectIsAnError) {
    Subject subject(kNothing, [] {
        const auto loopback = listen_on_loopback(AF_INET);
        close(loopback.listener);
        return connect_to(loopback) < 0 ? 0 : 1;
    });
    TIMESINK_RECORD(run, subject, options());
    const auto* client = run.socket_of_origin(TS_SOCKET_CONNECT, AF_INET);
    ASSERT_NE(client, nullptr);
    const auto connects = run.on_socket(client->socket, TS_OPERATION_CONNECT);
    ASSERT_EQ(connects.size(), 1U);
    EXPECT_EQ(connects[0].call.result, -ECONNREFUSED);
}

TEST_P(Sockets, ConnectionsOlderThanTheAttachAreListed) {
    struct Pair {
        Loopback loopback;
        int client = -1;
        int server = -1;
    };
    auto pair = std::make_shared<Pair>();
    const auto text = numbered_text(700);
    Subject subject(
        [=] {
            pair->loopback = listen_on_loopback(AF_INET);
            pair->client = connect_to(pair->loopback);
            pair->server = accept(pair->loopback.listener, nullptr, nullptr);
            const bool written = write(pair->client, text.data(), 600) == 600 && read_all(pair->server, 200, 200) &&
                                 write(pair->server, text.data(), 300) == 300 && read_all(pair->client, 300);
            return written ? 0 : 1;  // 400 bytes wait at the server
        },
        [=] {
            return read_all(pair->server, 400) && write(pair->server, text.data(), 700) == 700 && read_all(pair->client, 700) ? 0
                                                                                                                              : 1;
        });
    TIMESINK_RECORD(run, subject, options());
    const ts_socket* client = nullptr;
    const ts_socket* server = nullptr;
    for (const auto& socket : run.sockets) {
        if (socket.origin == TS_SOCKET_EXISTING && socket.family == AF_INET) {
            (socket.is_server == 1 ? server : client) = &socket;
        }
    }
    ASSERT_TRUE(client != nullptr && server != nullptr);
    EXPECT_NE(run.socket_of_origin(TS_SOCKET_LISTEN, AF_INET), nullptr);
    EXPECT_EQ(server->pid, subject.pid());
    EXPECT_EQ(server->rx_position, 200U);
    EXPECT_EQ(server->unread, 400U);
    EXPECT_EQ(server->tx_position, 300U);
    EXPECT_EQ(client->rx_position, 300U);
    EXPECT_EQ(client->unread, 0U);
    expect_contiguous(run.on_socket(server->socket, TS_OPERATION_READ), server->rx_position);
    expect_contiguous(run.on_socket(server->socket, TS_OPERATION_WRITE), server->tx_position);
    expect_contiguous(run.on_socket(client->socket, TS_OPERATION_READ), client->rx_position);
    expect_arrivals_first(run, *server);
    expect_arrivals_first(run, *client);
}

TEST_P(Sockets, ReadUnderWayAtTheAttachKeepsThePositions) {
    // The child of the subject blocks in read() before the attach and gets its bytes after it.
    struct Ends {
        int client = -1;
        int server = -1;
        pid_t reader = 0;
    };
    auto ends = std::make_shared<Ends>();
    Subject subject(
        [=] {
            const auto loopback = listen_on_loopback(AF_INET);
            ends->client = connect_to(loopback);
            ends->server = accept(loopback.listener, nullptr, nullptr);
            ends->reader = fork();
            if (ends->reader == 0) {
                const bool read = read_all(ends->server, 100, 100) && read_all(ends->server, 50, 50);
                _exit(read ? 0 : 1);
            }
            usleep(100'000);
            return 0;
        },
        [=] {
            const std::string text(150, 'x');
            int status = -1;
            if (write(ends->client, text.data(), 100) != 100 || usleep(20'000) != 0 ||
                write(ends->client, text.data(), 50) != 50 || waitpid(ends->reader, &status, 0) != ends->reader) {
                return 1;
            }
            return status == 0 ? 0 : 2;
        });
    TIMESINK_RECORD(run, subject, options());
    const ts_socket* server = nullptr;
    for (const auto& socket : run.sockets) {
        server = socket.origin == TS_SOCKET_EXISTING && socket.is_server == 1 ? &socket : server;
    }
    ASSERT_NE(server, nullptr);
    const auto reads = run.on_socket(server->socket, TS_OPERATION_READ);
    ASSERT_EQ(reads.size(), 2U);
    expect_contiguous(reads, 0);
    EXPECT_NE(reads[0].call.pid, subject.pid());  // a worker forked before the attach is a target
}

TEST_P(Sockets, UnixSocketsHaveTheirPathAndRole) {
    const std::string path = "/tmp/timesink-test-" + std::to_string(getpid()) + ".sock";
    Subject subject(kNothing, [=] {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
        unlink(path.c_str());
        if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || listen(listener, 4) != 0) {
            return 1;
        }
        const int client = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
            return 2;
        }
        const int server = accept(listener, nullptr, nullptr);
        const bool moved =
            write(client, "question", 8) == 8 && read_all(server, 8) && write(server, "answer", 6) == 6 && read_all(client, 6);
        unlink(path.c_str());
        close(client);
        return moved ? 0 : 3;
    });
    TIMESINK_RECORD(run, subject, options());
    const auto* client = run.socket_of_origin(TS_SOCKET_CONNECT, AF_UNIX);
    const auto* server = run.socket_of_origin(TS_SOCKET_ACCEPT, AF_UNIX);
    ASSERT_TRUE(client != nullptr && server != nullptr);
    EXPECT_STREQ(client->unix_path, path.c_str());
    EXPECT_STREQ(server->unix_path, path.c_str());
    EXPECT_EQ(client->is_server, 0);
    EXPECT_EQ(server->is_server, 1);
    EXPECT_EQ(run.moved(server->socket, TS_OPERATION_READ), 8U);
    EXPECT_EQ(run.moved(client->socket, TS_OPERATION_READ), 6U);
    const auto writes = run.on_socket(client->socket, TS_OPERATION_WRITE);
    ASSERT_EQ(writes.size(), 1U);
    EXPECT_EQ(writes[0].head, "question");
    const bool arrived = std::any_of(run.arrivals.begin(), run.arrivals.end(), [&](const ts_arrival& arrival) {
        return arrival.socket == client->socket && arrival.stream_end == TS_POSITION_UNKNOWN;
    });
    const bool fallback = std::none_of(run_recorded.probes.begin(), run_recorded.probes.end(),
                                       [](const live::Probe& probe) { return probe.name == "sk_data_ready" && probe.attached; });
    EXPECT_TRUE(arrived || fallback);
}

/// A client of a unix socket may ask long before somebody accepts it. Several one after the other: the kernel gives their sockets
/// the same addresses.
TEST_P(Sockets, BytesForAUnixSocketArriveBeforeItIsAccepted) {
    constexpr int kConnections = 4;
    const std::string path = "/tmp/timesink-test-queued-" + std::to_string(getpid()) + ".sock";
    Subject subject(kNothing, [=] {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
        unlink(path.c_str());
        if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || listen(listener, 4) != 0) {
            return 1;
        }
        for (int at = 0; at < kConnections; ++at) {
            const int client = socket(AF_UNIX, SOCK_STREAM, 0);
            const bool asked =
                connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 && write(client, "question", 8) == 8;
            const int server = accept(listener, nullptr, nullptr);
            if (!asked || !read_all(server, 8)) {
                return 2;
            }
            close(client);
            close(server);
        }
        unlink(path.c_str());
        return 0;
    });
    TIMESINK_RECORD(run, subject, options());
    const bool told = std::any_of(run_recorded.probes.begin(), run_recorded.probes.end(),
                                  [](const live::Probe& probe) { return probe.name == "sk_data_ready" && probe.attached; });
    if (!told) {
        GTEST_SKIP() << "the kernel does not tell of arrivals on unix sockets";
    }
    int accepted = 0;
    for (const ts_socket& socket : run.sockets) {
        if (socket.family != AF_UNIX || socket.origin != TS_SOCKET_PASSIVE) {
            continue;
        }
        EXPECT_STREQ(socket.unix_path, path.c_str());
        EXPECT_EQ(socket.is_server, 1);
        const auto accepts = run.on_socket(socket.socket, TS_OPERATION_ACCEPT);
        const auto reads = run.on_socket(socket.socket, TS_OPERATION_READ);
        ASSERT_EQ(accepts.size(), 1U);
        ASSERT_EQ(reads.size(), 1U);
        const auto arrival = std::find_if(run.arrivals.begin(), run.arrivals.end(),
                                          [&](const ts_arrival& each) { return each.socket == socket.socket; });
        ASSERT_NE(arrival, run.arrivals.end());
        EXPECT_LE(arrival->head.time, accepts[0].call.head.time);
        EXPECT_EQ(reads[0].call.stream_begin, 0U);
        ++accepted;
    }
    EXPECT_EQ(accepted, kConnections);
}

TEST_P(Sockets, VectorsAreGatheredInOrder) {
    const auto text = numbered_text(6000);
    Subject subject(kNothing, [=] {
        std::array<int, 2> ends{};
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) {
            return 1;
        }
        auto copy = text;
        std::array<iovec, 4> parts{{{copy.data(), 3000}, {copy.data(), 0}, {copy.data() + 3000, 2990}, {copy.data() + 5990, 10}}};
        if (writev(ends[0], parts.data(), 4) != 6000) {
            return 2;
        }
        std::string first(100, '\0');
        std::string second(5900, '\0');
        std::array<iovec, 2> places{{{first.data(), first.size()}, {second.data(), second.size()}}};
        if (readv(ends[1], places.data(), 2) != 6000) {
            return 3;
        }
        std::array<iovec, 3> answer{{{copy.data(), 5}, {copy.data() + 5, 5}, {copy.data() + 10, 5}}};
        msghdr message{};
        message.msg_iov = answer.data();
        message.msg_iovlen = 3;
        if (sendmsg(ends[1], &message, 0) != 15) {
            return 4;
        }
        message.msg_iov = places.data();
        message.msg_iovlen = 1;
        return recvmsg(ends[0], &message, 0) == 15 ? 0 : 5;
    });
    TIMESINK_RECORD(run, subject, options());
    ASSERT_EQ(run.calls.size(), 4U);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(run.calls[static_cast<std::size_t>(i)].head, text.substr(0, 4096));
        EXPECT_EQ(run.calls[static_cast<std::size_t>(i)].tail, text.substr(6000 - 64));
    }
    EXPECT_EQ(run.calls[2].head, text.substr(0, 15));
    EXPECT_EQ(run.calls[3].head, text.substr(0, 15));
}

TEST_P(Sockets, DatagramsInOneCallAreAllCounted) {
    Subject subject(kNothing, [] {
        const auto receiver = listen_on_loopback(AF_INET, SOCK_DGRAM);
        const int sender = socket(AF_INET, SOCK_DGRAM, 0);
        if (connect(sender, reinterpret_cast<const sockaddr*>(&receiver.address), receiver.length) != 0) {
            return 1;
        }
        std::string text = numbered_text(100);
        std::array<iovec, 3> parts{{{text.data(), 10}, {text.data(), 20}, {text.data(), 70}}};
        std::array<mmsghdr, 3> messages{};
        for (std::size_t i = 0; i < 3; i++) {
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        if (sendmmsg(sender, messages.data(), 3, 0) != 3 ||
            recvmmsg(receiver.listener, messages.data(), 3, MSG_DONTWAIT, nullptr) != 3) {
            return 2;
        }
        return 0;
    });
    TIMESINK_RECORD(run, subject, options());
    const std::string text = numbered_text(100);
    const std::string one_behind_the_other = text.substr(0, 10) + text.substr(0, 20) + text.substr(0, 70);
    std::uint64_t written = 0;
    std::uint64_t read = 0;
    for (const auto& recorded : run.calls) {
        if ((recorded.call.flags & TS_CALL_MULTI_MESSAGE) != 0) {
            (recorded.call.operation == TS_OPERATION_WRITE ? written : read) += static_cast<std::uint64_t>(recorded.call.result);
            EXPECT_EQ(recorded.head, one_behind_the_other);
        }
    }
    EXPECT_EQ(written, 100U);
    EXPECT_EQ(read, 100U);
}

TEST_P(Sockets, PeekAndTruncationMoveNoFalseBytes) {
    Subject subject(kNothing, [] {
        const auto loopback = listen_on_loopback(AF_INET);
        const int client = connect_to(loopback);
        const int server = accept(loopback.listener, nullptr, nullptr);
        std::string buffer(100, '\0');
        const bool moved = write(client, "0123456789", 10) == 10 && recv(server, buffer.data(), 4, MSG_PEEK) == 4 &&
                           recv(server, buffer.data(), 3, MSG_TRUNC) == 3 && recv(server, buffer.data(), 7, 0) == 7 &&
                           recv(server, buffer.data(), 7, MSG_DONTWAIT) == -1;
        return moved ? 0 : 1;
    });
    TIMESINK_RECORD(run, subject, options());
    const auto* server = run.socket_of_origin(TS_SOCKET_PASSIVE, AF_INET);
    ASSERT_NE(server, nullptr);
    const auto reads = run.on_socket(server->socket, TS_OPERATION_READ);
    ASSERT_EQ(reads.size(), 3U);  // EAGAIN is only counted
    EXPECT_TRUE(reads[0].call.flags & TS_CALL_PEEK);
    EXPECT_EQ(reads[0].head, "");
    EXPECT_EQ(reads[1].head, "");
    EXPECT_EQ(reads[1].call.stream_begin, 0U);
    EXPECT_EQ(reads[2].call.stream_begin, 3U);
    EXPECT_EQ(reads[2].head, "3456789");
}

}  // namespace
}  // namespace timesink::test
