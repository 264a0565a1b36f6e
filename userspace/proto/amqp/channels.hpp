#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "proto/amqp/frame.hpp"
#include "proto/parser.hpp"

namespace timesink::proto::amqp {

/// A message's content follows its method: a header that tells its size, then bodies.
struct Content {
    Correlation correlation{};
    Direction direction = Direction::request;
    bool told = false;   ///< it ends a message that was told of; else it is passed over
    bool sized = false;  ///< its header was seen
    std::uint64_t size = 0;
    std::uint64_t left = 0;
    bool confirmed_unseen = false;  ///< the server confirms it, but by a number that is not known
};

struct Channel {
    /// The method that waits for its answer: there is one at a time.
    struct Waiting {
        Correlation correlation{};
        Method answer = 0;
    };
    std::optional<Waiting> waiting;
    std::optional<Content> from_client;
    std::optional<Content> from_server;
    /// The server confirms publishes by their number, from 1 at confirm.select on. 0: it does not, or their number is not known.
    std::uint64_t next_tag = 0;
    bool confirms = false;
    /// To learn the number: publishes that were seen since it was not known; how far the tags that the server confirms are ahead
    /// of that at most, which they are by all others once none is open; and how often they were.
    std::uint64_t seen = 0;
    std::int64_t ahead = 0;
    unsigned times = 0;
    std::map<std::uint64_t, Correlation> unconfirmed;
};

/// The channels of a connection and what is told of them: each is a conversation of its own. Owned by the parser.
class Channels {
public:
    static constexpr std::size_t kMost = 4096;             ///< RabbitMQ allows 2,047
    static constexpr std::size_t kMostUnconfirmed = 4096;  ///< of a channel

    void ask(Method method, std::uint16_t number, std::string_view payload, std::uint64_t begin, std::uint64_t end, Sink& sink);
    void publish(std::uint16_t number, std::string_view payload, std::uint64_t begin, Sink& sink);
    /// Any method of the server.
    void answer(Method method, std::uint16_t number, std::string_view payload, std::uint64_t begin, std::uint64_t end,
                Sink& sink);
    /// A content header or body of that channel, over at `end`.
    void content(Direction direction, std::uint16_t number, std::optional<std::uint64_t> size, std::uint64_t bytes,
                 std::uint64_t end, Sink& sink);
    /// Bytes of that channel's content to come; 0: none, or nobody knows.
    [[nodiscard]] std::uint64_t left(Direction direction, std::uint16_t number) const;
    void lose(Direction direction, std::uint64_t position, Sink& sink);
    void finish(Direction direction, std::uint64_t position, Sink& sink);
    /// The connection's own requests: the greeting, open, close.
    Correlation greet(std::uint64_t begin, std::uint64_t end, Sink& sink);

private:
    Channel& channel(std::uint16_t number, std::uint64_t position, Sink& sink);
    void confirm(Channel& channel, std::string_view payload, bool refused, std::uint64_t begin, std::uint64_t end, Sink& sink);
    void closed(std::uint16_t number, std::string_view payload, std::uint64_t begin, std::uint64_t end, Sink& sink);
    void deliver(std::string_view payload, std::uint64_t begin, std::uint64_t end, Sink& sink) const;
    static void reply(Correlation to, std::uint64_t begin, std::uint64_t end, std::string_view error, Sink& sink);
    static void learn(Channel& channel, const Confirmation& confirmation);
    static void give_up(Channel& channel, std::uint64_t position, Sink& sink);
    static void cut(std::optional<Content>& content, std::uint64_t position, Sink& sink);

    std::map<std::uint16_t, Channel> channels_;
    std::uint64_t last_ = 0;
};

}  // namespace timesink::proto::amqp
