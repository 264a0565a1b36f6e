#pragma once

#include <cstdint>
#include <string>

#include "proto/postgres/exchanges.hpp"
#include "proto/postgres/framer.hpp"
#include "proto/postgres/postgres.hpp"
#include "proto/postgres/statements.hpp"

namespace timesink::proto::postgres {

/// A client's message at the begin of a call is believed up to this size while the parser searches: text read as a length is far
/// beyond.
inline constexpr std::uint64_t kBelievable = std::uint64_t{16} * 1024 * 1024;

/// One direction of the connection. `lost`: the bytes of messages are not known to begin anywhere; then
/// - a client's message is looked for at the begin of each call, a Sync at the end of each;
/// - of the server, ReadyForQuery at the end of a call; rows look too much like headers to be trusted at the begin of one.
struct Stream {
    explicit Stream(Direction way) : direction(way), framer(way) {}
    Direction direction;
    Framer framer;
    bool lost = false;
    bool searching = false;   ///< lost: the framer tries the first bytes of a call
    bool in_call = false;     ///< the last byte seen was not the last of its system call
    bool calls_lost = false;  ///< lost: whole calls are missing, so what is seen now may belong to a later answer
    std::string tail;         ///< lost: the last contiguous bytes
};

/// One connection. parser.cpp follows the bytes, client.cpp and server.cpp the messages of either end.
class Postgres final : public Parser {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    std::size_t step(Stream& stream, std::span<const std::byte> bytes, std::uint64_t position, Sink& sink);
    std::size_t take_rows(const Stream& stream, std::span<const std::byte> bytes, std::uint64_t position);
    std::size_t search(Stream& stream, std::span<const std::byte> bytes, std::uint64_t position, Sink& sink);
    void search_at_call_end(Stream& stream, std::uint64_t position, Sink& sink);
    bool answer_encryption(char answer, std::uint64_t position, Sink& sink);
    void take(const Message& message, Direction direction, Sink& sink);
    void lose(Stream& stream, std::uint64_t position, Sink& sink);

    void from_client(const Message& message, Sink& sink);
    void opening(const Message& message, Sink& sink);
    void query(const Message& message, Sink& sink);
    void prepare(const Message& message, Sink& sink);
    void bind(const Message& message, Sink& sink);
    void describe(const Message& message, Sink& sink);
    void execute(const Message& message, Sink& sink);
    void close_named(const Message& message, Sink& sink);
    void sync(const Message& message, Sink& sink);
    void call_function(const Message& message, Sink& sink);
    void driver_asks(const Message& message, std::string operation, Asked asked, std::string database, Sink& sink);
    void one_way(const Message& message, std::string operation, Sink& sink);

    void from_server(const Message& message, Sink& sink);
    static void count_row(Exchange& exchange, const Message& row);
    void statement_answer(Exchange& exchange, const Message& message, Sink& sink);
    bool short_answer(const Message& message, Sink& sink);
    void nobodys_answer(const Message& message, Sink& sink);
    void end_nobodys(std::uint64_t end, bool complete, Sink& sink);

    void before_opening(Sink& sink);
    Exchange& open(const Message& message, Sink& sink);
    Exchange& group(const Message& message, Sink& sink);

    Stream request_{Direction::request};
    Stream response_{Direction::response};
    Exchanges exchanges_;
    Statements statements_;
    /// What the latest simple query is: pools send the same one with every connection that they take back.
    struct Judged {
        std::string text;
        std::string operation;
        bool housekeeping = false;
        bool copies_in = false;
    };
    Judged judged_;
    bool nobodys_open_ = false;  ///< an answer to what was not seen, up to its ReadyForQuery
    End nobodys_;
    bool understood_ = false;
    bool not_mine_ = false;
    bool rejected_ = false;
};

}  // namespace timesink::proto::postgres
