#include "proto/postgres/parser.hpp"

#include <algorithm>
#include <string_view>

#include "proto/lines.hpp"
#include "proto/postgres/payload.hpp"
#include "proto/postgres/redaction.hpp"

namespace timesink::proto::postgres {
namespace {

/// As many contiguous last bytes as a CommandComplete and a ReadyForQuery can have.
constexpr std::size_t kTail = 160;
constexpr std::string_view kSync{"S\0\0\0\4", 5};
constexpr std::string_view kReady{"Z\0\0\0\5", 5};

}  // namespace

Parsed Postgres::parse(const Chunk& chunk, Sink& sink) {
    if (not_mine_) {
        return {0, Verdict::not_mine};
    }
    Stream& stream = chunk.direction == Direction::request ? request_ : response_;
    if (chunk.direction == Direction::response && !chunk.bytes.empty()) {
        exchanges_.hear();
    }
    if (stream.lost && !stream.in_call && stream.direction == Direction::request && !stream.searching) {
        stream.searching = true;
        stream.framer.next();
    }
    std::size_t taken = 0;
    while (taken < chunk.bytes.size() && !not_mine_) {
        exchanges_.saw(chunk.direction, chunk.position + taken);
        taken += step(stream, chunk.bytes.subspan(taken), chunk.position + taken, sink);
    }
    if (not_mine_) {
        return {rejected_ ? 0 : taken, Verdict::not_mine};
    }
    exchanges_.saw(chunk.direction, chunk.position + taken);
    stream.in_call = !chunk.ends_call;
    if (stream.lost && chunk.ends_call) {
        search_at_call_end(stream, chunk.position + taken, sink);
    }
    return {taken, Verdict::ok};
}

std::size_t Postgres::step(Stream& stream, std::span<const std::byte> bytes, std::uint64_t position, Sink& sink) {
    if (stream.lost) {
        return search(stream, bytes, position, sink);
    }
    if (stream.direction == Direction::response && stream.framer.between() &&
        answer_encryption(as_text(bytes).front(), position, sink)) {
        return 1;
    }
    if (stream.framer.between()) {
        if (const std::optional<Message> message = stream.framer.whole(bytes, position)) {
            if (sink.redacts()) {
                keep(*message, stream.direction, sink);
            }
            take(*message, stream.direction, sink);
            const std::size_t taken = message->bytes();
            return sink.redacts() ? taken : taken + take_rows(stream, bytes.subspan(taken), position + taken);
        }
    }
    const std::size_t taken = stream.framer.take(bytes, position);
    if (sink.redacts() && stream.framer.opens()) {
        keep(stream.framer.message(), stream.direction, sink);
    }
    if (stream.framer.complete()) {
        take(stream.framer.message(), stream.direction, sink);
        stream.framer.next();
    } else if (stream.framer.invalid() && !understood_) {
        not_mine_ = rejected_ = true;
    } else if (stream.framer.invalid()) {
        lose(stream, position, sink);
    }
    return taken;
}

void Postgres::take(const Message& message, Direction direction, Sink& sink) {
    understood_ = true;
    exchanges_.saw(direction, message.end);
    direction == Direction::request ? from_client(message, sink) : from_server(message, sink);
}

/// The rows of a result are most of what a server sends, and one is counted as the other: as many as are there in whole.
std::size_t Postgres::take_rows(const Stream& stream, std::span<const std::byte> bytes, std::uint64_t position) {
    Exchange* exchange = stream.direction == Direction::response && !nobodys_open_ ? exchanges_.answering() : nullptr;
    if (exchange == nullptr || !exchange->in_rows) {
        return 0;
    }
    const Framer::Run rows = stream.framer.run_of('D', bytes);
    if (const std::optional<Message> last = stream.framer.whole(bytes.subspan(rows.last, rows.bytes - rows.last), position)) {
        exchange->response.body_bytes += rows.last;
        count_row(*exchange, *last);
    }
    return rows.bytes;
}

/// A request for TLS or GSS encryption is answered by one byte. False: none is awaited, or it is an error message.
bool Postgres::answer_encryption(char answer, std::uint64_t position, Sink& sink) {
    if (answer != 'S' && answer != 'G' && answer != 'N') {
        return false;
    }
    Exchange* exchange = exchanges_.answering();
    if (exchange == nullptr || exchanges_.front() != Asked::ssl) {
        return false;
    }
    sink.keep(Direction::response, position, std::string_view(&answer, 1), Kept::structure);
    exchanges_.respond(*exchange, position, sink);
    exchanges_.answered(position + 1, sink);
    if (answer != 'N') {
        not_mine_ = true;
        sink.upgraded(answer == 'S' ? "tls" : "gss");
    }
    return true;
}

void Postgres::lose(Stream& stream, std::uint64_t position, Sink& sink) {
    stream.lost = true;
    stream.calls_lost = !stream.in_call;
    stream.searching = false;
    stream.tail.clear();
    stream.framer.next();
    if (stream.direction == Direction::request) {
        exchanges_.lose_requests(position, sink);
    } else {
        end_nobodys(position, false, sink);
        (void)exchanges_.lose_responses(position, sink);
    }
    sink.lost_sync(stream.direction, position);
}

std::size_t Postgres::search(Stream& stream, std::span<const std::byte> bytes, std::uint64_t position, Sink& sink) {
    if (stream.searching) {
        constexpr std::size_t kHeader = 5;
        const std::size_t taken = stream.framer.take(bytes.first(std::min(bytes.size(), kHeader)), position);
        if (stream.framer.begun() && stream.framer.message().type != kOpening && stream.framer.message().bytes() < kBelievable) {
            stream.lost = false;
            stream.searching = false;
            if (sink.redacts() && stream.framer.opens()) {
                keep(stream.framer.message(), stream.direction, sink);
            }
            return taken;
        }
        stream.searching = !stream.framer.begun() && !stream.framer.invalid();
        if (stream.searching) {
            return taken;
        }
        stream.framer.next();
    }
    if (Exchange* exchange = exchanges_.answering(); exchange != nullptr && stream.direction == Direction::response) {
        exchange->response.body_bytes += bytes.size();
    }
    const std::string_view text = as_text(bytes);
    stream.tail.append(text.substr(text.size() - std::min(text.size(), kTail)));
    stream.tail.erase(0, stream.tail.size() - std::min(stream.tail.size(), kTail));
    return bytes.size();
}

void Postgres::search_at_call_end(Stream& stream, std::uint64_t position, Sink& sink) {
    const std::string_view tail = stream.tail;
    if (stream.direction == Direction::request) {
        if (tail.ends_with(kSync)) {
            sink.keep(Direction::request, position - kSync.size(), kSync, Kept::structure);
            stream.lost = stream.searching = false;
            stream.framer.next();
            if (!stream.calls_lost) {
                exchanges_.confirm_sync();
            }
        }
        return;
    }
    const std::size_t ready = tail.size() - std::min(tail.size(), kReady.size() + 1);
    if (!tail.substr(ready).starts_with(kReady) || std::string_view("ITE").find(tail.back()) == std::string_view::npos) {
        return;
    }
    stream.lost = false;
    sink.keep(Direction::response, position - (tail.size() - ready), tail.substr(ready), Kept::structure);
    Exchange* exchange = exchanges_.answering();
    if (exchange == nullptr) {
        return;
    }
    // The shortest tag is "DO"; its message ends where the ReadyForQuery begins, which is what tells it from a row.
    std::size_t tag = std::string_view::npos;
    for (std::size_t at = ready; at-- > 0 && tag == std::string_view::npos;) {
        if (tail[at] == 'C' && ready - at >= 8 && tail[ready - 1] == '\0' &&
            big_endian_32(tail.substr(at + 1, 4)) == ready - at - 1) {
            tag = at + 5;
        }
    }
    exchange->cut = exchange->cut || tag == std::string_view::npos || stream.calls_lost;
    if (tag != std::string_view::npos) {
        sink.keep(Direction::response, position - (tail.size() - tag) - 5, tail.substr(tag - 5, ready - tag + 5),
                  Kept::structure);
        add_rows(exchange->response, tail.substr(tag));
        exchange->answered_whole = true;
    }
    exchanges_.ready(position - kReady.size() - 1, position, tail.substr(tail.size() - 1), sink);
}

void Postgres::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (not_mine_ || end <= begin) {
        return;
    }
    Stream& stream = direction == Direction::request ? request_ : response_;
    if (direction == Direction::response) {
        exchanges_.hear();
    }
    std::uint64_t known = 0;
    if (const std::string_view header = stream.framer.partial_header(); !header.empty()) {
        sink.keep(direction, begin - header.size(), header, Kept::structure);  // that a message began here
    }
    if (!stream.lost && stream.framer.begun()) {
        known = stream.framer.skip(end - begin);
        if (sink.redacts() && stream.framer.opens()) {
            keep(stream.framer.message(), stream.direction, sink);
        }
        if (stream.framer.complete()) {
            take(stream.framer.message(), stream.direction, sink);
            stream.framer.next();
        }
    }
    if (known < end - begin && !stream.lost) {
        lose(stream, begin + known, sink);
    }
    if (stream.lost) {
        stream.calls_lost = stream.calls_lost || !stream.in_call;
        stream.tail.clear();
        stream.searching = false;
        stream.framer.next();
        if (Exchange* exchange = exchanges_.answering(); exchange != nullptr && direction == Direction::response) {
            exchange->response.body_bytes += end - begin - known;
        }
    }
    exchanges_.saw(direction, end);
}

void Postgres::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (not_mine_) {
        return;
    }
    exchanges_.saw(direction, position);
    if (direction == Direction::request) {
        exchanges_.finish_requests(position, sink);
    } else {
        end_nobodys(position, false, sink);
        exchanges_.finish_responses(position, sink);
    }
}

std::unique_ptr<Parser> make() {
    return std::make_unique<Postgres>();
}

}  // namespace timesink::proto::postgres
