#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "proto/http1/http1.hpp"
#include "proto/http1/start_line.hpp"
#include "proto/http1/stream.hpp"
#include "proto/http2/http2.hpp"
#include "proto/lines.hpp"
#include "proto/turns.hpp"
#include "proto/websocket/websocket.hpp"

namespace timesink::proto::http1 {
namespace {

constexpr std::uint64_t kLongestHeader = std::uint64_t{256} * 1024;
constexpr std::string_view kLastChunk = "\r\n0\r\n\r\n";
constexpr std::string_view kHeaderEnd = "\r\n\r\n";

class Http1 final : public Parser {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    using State = Stream::State;
    using Bytes = std::span<const std::byte>;
    /// Each takes bytes that begin at `position` and returns how many.
    Parsed after_upgrade(const Chunk& chunk, std::size_t taken, Sink& sink);
    std::size_t step(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink);
    std::size_t between(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink);
    std::size_t start_line(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink);
    std::size_t header(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink);
    std::size_t body(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink);
    std::size_t search(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink);
    void search_at_call_end(Stream& stream, std::uint64_t position, Sink& sink);

    static bool accept_start_line(Stream& stream, std::uint64_t end, Sink& sink);
    static bool may_become_start_line(const Stream& stream);
    void header_done(Stream& stream, std::uint64_t position, Sink& sink);
    void frame_request(Stream& stream, std::uint64_t position, Sink& sink);
    void frame_response(Stream& stream, std::uint64_t position, Sink& sink);
    void announce(Stream& stream, Sink& sink);
    void ask(Stream& stream, Sink& sink);
    void close(Stream& stream, std::uint64_t position, bool complete, Sink& sink);
    void lose(Stream& stream, std::uint64_t position, Sink& sink);
    static void unread(const Stream& stream, std::uint64_t position, std::uint64_t bytes, Sink& sink);
    void give_up(const std::vector<Correlation>& lost, Sink& sink) const;

    Stream& stream_of(Direction direction) { return direction == Direction::request ? request_ : response_; }

    Stream request_{Direction::request};
    Stream response_{Direction::response};
    Turns<Asked> turns_;
    std::unique_ptr<Parser> successor_;  ///< HTTP/2 or WebSocket, once the connection was upgraded to it: everything is its
    bool understood_ = false;            ///< a start line was seen
    bool not_mine_ = false;              ///< never was HTTP/1, or is no more
    bool rejected_ = false;              ///< never was
};

Parsed Http1::parse(const Chunk& chunk, Sink& sink) {
    if (successor_ != nullptr) {
        return successor_->parse(chunk, sink);
    }
    Stream& stream = stream_of(chunk.direction);
    if (chunk.direction == Direction::response && !chunk.bytes.empty()) {
        turns_.hear();
    }
    if (stream.state == State::lost && (!stream.in_call || stream.resumed) && !stream.candidate) {
        stream.candidate = true;
        stream.line.clear();
    }
    stream.resumed = false;
    std::size_t taken = 0;
    while (taken < chunk.bytes.size() && !not_mine_ && successor_ == nullptr) {
        taken += step(stream, chunk.bytes.subspan(taken), chunk.position + taken, sink);
    }
    if (not_mine_) {
        return {rejected_ ? 0 : taken, Verdict::not_mine};
    }
    if (successor_ != nullptr) {
        return after_upgrade(chunk, taken, sink);
    }
    stream.in_call = !chunk.ends_call;
    stream.seen = chunk.position + taken;
    if (stream.state == State::lost && chunk.ends_call) {
        search_at_call_end(stream, chunk.position + taken, sink);
    }
    return {taken, Verdict::ok};
}

/// The rest of the chunk in which the connection became HTTP/2 or WebSocket.
Parsed Http1::after_upgrade(const Chunk& chunk, std::size_t taken, Sink& sink) {
    if (taken == chunk.bytes.size()) {
        return {taken, Verdict::ok};
    }
    const Parsed rest =
        successor_->parse({chunk.direction, chunk.position + taken, chunk.bytes.subspan(taken), chunk.ends_call}, sink);
    return {taken + rest.consumed, rest.verdict};
}

std::size_t Http1::step(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink) {
    switch (stream.state) {
        case State::between:
            return between(stream, bytes, position, sink);
        case State::start_line:
            return start_line(stream, bytes, position, sink);
        case State::header:
            return header(stream, bytes, position, sink);
        case State::body:
            return body(stream, bytes, position, sink);
        case State::lost:
            return search(stream, bytes, position, sink);
    }
    return bytes.size();
}

std::size_t Http1::between(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink) {
    // RFC 9112 section 2.2: empty lines ahead of a request line are to be ignored.
    const char first = as_text(bytes).front();
    if (first == '\r' || first == '\n') {
        sink.keep(stream.direction, position, as_text(bytes.first(1)), Kept::structure);
        return 1;
    }
    stream.head.restart(stream.direction, position);
    stream.line.clear();
    stream.state = State::start_line;
    return 0;
}

bool Http1::may_become_start_line(const Stream& stream) {
    return stream.direction == Direction::request ? may_become_request_line(stream.line.text())
                                                  : may_become_status_line(stream.line.text());
}

/// Puts the finished line, which ends at `end`, into the head. False: it is none.
bool Http1::accept_start_line(Stream& stream, std::uint64_t end, Sink& sink) {
    if (stream.direction == Direction::response) {
        const auto status = parse_status_line(stream.line.text());
        if (!status) {
            return false;
        }
        stream.head.status = status->status;
    } else {
        const auto line = parse_request_line(stream.line.text(), stream.line.cut());
        if (!line || (stream.state == State::lost && !is_common_method(line->method))) {
            return false;
        }
        stream.head.operation = line->method;
        stream.head.target_truncated = stream.line.cut();
        std::string_view target = line->target;
        const std::size_t scheme = target.front() == '/' ? std::string_view::npos : target.find("://");
        if (scheme != std::string_view::npos) {  // absolute form, as sent to proxies: the authority is not part of the path
            const std::size_t path = std::min(target.find_first_of("/?", scheme + 3), target.size());
            stream.head.host = target.substr(scheme + 3, path - scheme - 3);
            target = path < target.size() ? target.substr(path) : "/";
        } else if (stream.head.operation == "CONNECT") {
            stream.head.host = target;
        }
        stream.head.target = target;
    }
    keep_line(stream.line, stream.direction, end, Kept::target, sink);
    stream.header_bytes = stream.line.length();
    stream.line.clear();
    stream.fields.clear();
    stream.state = State::header;
    return true;
}

std::size_t Http1::start_line(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink) {
    const std::size_t taken = stream.line.take(bytes);
    const bool bad = stream.line.complete() ? !accept_start_line(stream, position + taken, sink) : !may_become_start_line(stream);
    if (!bad) {
        return taken;
    }
    if (!understood_) {
        not_mine_ = rejected_ = true;
    } else {
        lose(stream, position, sink);
    }
    return taken;
}

std::size_t Http1::header(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink) {
    const std::size_t taken = stream.line.take(bytes);
    stream.header_bytes += taken;
    if (stream.header_bytes > kLongestHeader) {
        lose(stream, position + taken, sink);
        return taken;
    }
    if (!stream.line.complete()) {
        return taken;
    }
    keep_line(stream.line, stream.direction, position + taken, Kept::field, sink);
    if (stream.line.text().empty()) {
        stream.fields.finish();
        header_done(stream, position + taken, sink);
    } else {
        stream.fields.line(stream.line.text());
    }
    stream.line.clear();
    return taken;
}

void Http1::header_done(Stream& stream, std::uint64_t position, Sink& sink) {
    understood_ = true;
    if (stream.direction == Direction::request) {
        announce(stream, sink);
        frame_request(stream, position, sink);
    } else if (stream.head.status < 200 && stream.head.status != 101) {
        stream.state = State::between;  // an interim response (RFC 9110 section 15.2): the answer is yet to come
    } else {
        frame_response(stream, position, sink);
    }
}

/// Gives the Head, as far as it is known.
void Http1::announce(Stream& stream, Sink& sink) {
    if (stream.open) {
        return;
    }
    understood_ = true;
    stream.open = true;
    Head& head = stream.head;
    if (stream.direction == Direction::request) {
        if (head.host.empty()) {
            head.host = stream.fields.host();
        }
        ask(stream, sink);
    } else {
        stream.answers = turns_.answering() != nullptr;
        head.correlation = turns_.answering_correlation();
    }
    stream.fields.take_attributes(head.attributes);
    sink.head(head);
    head.attributes.clear();
}

void Http1::ask(Stream& stream, Sink& sink) {
    const bool turn = turns_.turn_begins();
    // A response that lasts until the connection closes cannot be followed by another request: it was none, or was cut short.
    const bool response_cannot_end =
        response_.state == State::lost || (response_.state == State::body && response_.body.kind() == Body::Kind::until_close);
    if (turn && response_cannot_end) {
        close(response_, response_.seen, false, sink);
        give_up(turns_.level(), sink);
    } else if (turn && !turns_.certain() && response_.state == State::between && turns_.answering() == nullptr) {
        give_up(turns_.level(), sink);
    }
    if (turns_.full()) {
        give_up(turns_.lose_responses(), sink);
    }
    stream.head.correlation = turns_.ask({stream.head.operation == "HEAD", stream.head.operation == "CONNECT"});
}

void Http1::frame_request(Stream& stream, std::uint64_t position, Sink& sink) {
    const Fields& fields = stream.fields;
    Body::Kind kind = Body::Kind::none;
    if (fields.transfer() == Fields::Transfer::chunked) {
        kind = Body::Kind::chunked;  // it overrides Content-Length (RFC 9112 section 6.3)
    } else if (fields.transfer() == Fields::Transfer::other || fields.length() == Fields::Length::invalid) {
        lose(stream, position, sink);  // a server must refuse these; where the next request begins is anybody's guess
        return;
    } else if (fields.length() == Fields::Length::known) {
        kind = Body::Kind::length;
    }
    stream.body.begin(kind, fields.content_length());
    stream.state = State::body;
    if (stream.body.done()) {
        close(stream, position, true, sink);
    }
}

void Http1::frame_response(Stream& stream, std::uint64_t position, Sink& sink) {
    const Fields& fields = stream.fields;
    const int status = stream.head.status;
    const Asked* asked = turns_.answering();
    const bool tunnel = asked != nullptr && asked->is_connect && status >= 200 && status < 300;
    if (status == 101 && fields.upgrade() == "h2c" && asked != nullptr) {
        // RFC 7540 section 3.2: the answer itself comes as stream 1 of the HTTP/2 that follows.
        stream.state = State::between;
        successor_ = http2::make_upgraded(turns_.answering_correlation());
        return;
    }
    const bool bodiless = (asked != nullptr && asked->is_head) || tunnel || status == 101 || status == 204 || status == 304;
    announce(stream, sink);
    Body::Kind kind = Body::Kind::until_close;
    if (bodiless) {
        kind = Body::Kind::none;
    } else if (fields.transfer() == Fields::Transfer::chunked) {
        kind = Body::Kind::chunked;
    } else if (fields.transfer() == Fields::Transfer::none && fields.length() == Fields::Length::invalid) {
        lose(stream, position, sink);
        return;
    } else if (fields.transfer() == Fields::Transfer::none && fields.length() == Fields::Length::known) {
        kind = Body::Kind::length;
    }
    stream.body.begin(kind, fields.content_length());
    stream.state = State::body;
    if (stream.body.done()) {
        close(stream, position, true, sink);
    }
    if (status == 101 && fields.upgrade() == "websocket") {
        successor_ = websocket::make(request_.head.target, request_.head.host, turns_.number_unanswered());
    } else if (tunnel || status == 101) {
        not_mine_ = true;
        const std::string protocol = tunnel ? "tunnel" : fields.upgrade();
        sink.upgraded(protocol.empty() ? "unknown" : protocol);
    }
}

std::size_t Http1::body(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink) {
    // The request of a response that began before the attach is not known. If it was HEAD, the next response stands here.
    const bool untouched = stream.body.content_bytes() == 0 && stream.body.kind() == Body::Kind::length;
    if (untouched && stream.direction == Direction::response && !stream.answers && !stream.in_call &&
        as_text(bytes).starts_with("HTTP/1.")) {
        close(stream, position, false, sink);
        return 0;
    }
    if (sink.redacts() && !stream.body.in_data()) {
        sink.keep(stream.direction, position, stream.body.masked_framing(bytes), Kept::structure);
    }
    const Body::Taken taken = stream.body.take(bytes);
    if (taken.is_content && taken.bytes > 0) {
        sink.content({stream.direction, stream.head.correlation, position, bytes.first(taken.bytes), 0});
    }
    if (stream.body.malformed()) {
        lose(stream, position + taken.bytes, sink);
    } else if (stream.body.done()) {
        close(stream, position + taken.bytes, true, sink);
    }
    return taken.bytes;
}

/// Bytes of a message that cannot be read: not captured, or framing that is not understood any more.
void Http1::unread(const Stream& stream, std::uint64_t position, std::uint64_t bytes, Sink& sink) {
    if (stream.open && bytes > 0) {
        sink.content({stream.direction, stream.head.correlation, position, {}, bytes});
    }
}

/// The message in progress, if any, is over at `position`; the next may begin.
void Http1::close(Stream& stream, std::uint64_t position, bool complete, Sink& sink) {
    stream.state = State::between;
    if (!stream.open) {
        return;
    }
    stream.open = false;
    if (stream.answers) {
        complete ? turns_.answered() : turns_.drop_oldest();
        stream.answers = false;
    }
    sink.end({.direction = stream.direction,
              .correlation = stream.head.correlation,
              .end = position,
              .body_bytes = stream.body.content_bytes(),
              .complete = complete});
}

/// Where the message in progress ends is not known any more.
void Http1::lose(Stream& stream, std::uint64_t position, Sink& sink) {
    const bool in_header = stream.state == State::header;
    if (in_header) {
        stream.body.begin(Body::Kind::none, 0);
        if (stream.direction == Direction::request || stream.head.status >= 200) {
            announce(stream, sink);
        }
    }
    const std::string& method = stream.head.operation;
    stream.awaits_last_chunk =
        stream.state == State::body && stream.in_call && stream.body.kind() == Body::Kind::chunked && !stream.body.malformed();
    stream.awaits_header_end = in_header && stream.in_call && (method == "GET" || method == "HEAD" || method == "DELETE");
    stream.state = State::lost;
    stream.candidate = false;
    stream.tail.clear();
    if (stream.direction == Direction::request) {
        turns_.lose_requests();
    } else if (!stream.answers || turns_.open() != 1 || !turns_.certain()) {
        close(stream, position, false, sink);
        stream.state = State::lost;
        give_up(turns_.lose_responses(), sink);
    }
    sink.lost_sync(stream.direction, position);
}

/// They will not be answered, as far as can be told: an End without a Head.
void Http1::give_up(const std::vector<Correlation>& lost, Sink& sink) const {
    for (const Correlation correlation : lost) {
        sink.end({.direction = Direction::response,
                  .correlation = correlation,
                  .end = response_.seen,
                  .error = "lost",
                  .complete = false});
    }
}

std::size_t Http1::search(Stream& stream, Bytes bytes, std::uint64_t position, Sink& sink) {
    std::size_t taken = bytes.size();
    if (stream.candidate) {
        const std::uint64_t begin = position - stream.line.length();
        taken = stream.line.take(bytes);
        if (!stream.line.complete()) {
            stream.candidate = may_become_start_line(stream);
        } else {
            stream.candidate = false;
            Head head{.direction = stream.direction, .begin = begin};
            std::swap(head, stream.head);
            if (accept_start_line(stream, position + taken, sink)) {
                std::swap(head, stream.head);
                close(stream, begin, false, sink);
                stream.head = std::move(head);
                stream.state = State::header;
                return taken;
            }
            std::swap(head, stream.head);
        }
    }
    stream.body.add_unframed(taken);
    unread(stream, position, taken, sink);
    const std::string_view seen = as_text(bytes.first(taken));
    stream.tail.append(seen.substr(seen.size() - std::min(seen.size(), kLastChunk.size())));
    stream.tail.erase(0, stream.tail.size() - std::min(stream.tail.size(), kLastChunk.size()));
    return taken;
}

void Http1::search_at_call_end(Stream& stream, std::uint64_t position, Sink& sink) {
    const bool alone = stream.direction == Direction::request || turns_.open() == 1;
    if (stream.open && stream.awaits_last_chunk && alone && stream.tail.ends_with(kLastChunk)) {
        sink.keep(stream.direction, position - kLastChunk.size(), kLastChunk, Kept::structure);
        close(stream, position, true, sink);
    } else if (stream.open && stream.awaits_header_end && stream.tail.ends_with(kHeaderEnd)) {
        // Not complete: the gap may have hidden a body, or a pipelined request.
        sink.keep(stream.direction, position - kHeaderEnd.size(), kHeaderEnd, Kept::structure);
        close(stream, position, false, sink);
    }
}

void Http1::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (successor_ != nullptr) {
        return successor_->gap(direction, begin, end, sink);
    }
    Stream& stream = stream_of(direction);
    if (not_mine_ || end <= begin) {
        return;
    }
    if (direction == Direction::response) {
        turns_.hear();
    }
    std::uint64_t known = 0;
    stream.seen = end;
    if (stream.state == State::body) {
        known = stream.body.skip(end - begin);
        unread(stream, begin, known, sink);
        if (stream.body.done()) {
            close(stream, begin + known, true, sink);
        }
    }
    if (known < end - begin && stream.state != State::lost) {
        lose(stream, begin + known, sink);
    }
    if (stream.state == State::lost) {
        if (stream.open) {
            stream.body.add_unframed(end - begin - known);
            unread(stream, begin + known, end - begin - known, sink);
        }
        // Lost calls: the end of this message may have been among them.
        stream.awaits_last_chunk = stream.awaits_last_chunk && stream.in_call;
        stream.awaits_header_end = stream.awaits_header_end && stream.in_call;
        stream.tail.clear();
        stream.candidate = false;
        stream.resumed = true;
    }
}

void Http1::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (successor_ != nullptr) {
        return successor_->finish(direction, position, sink);
    }
    Stream& stream = stream_of(direction);
    if (not_mine_) {
        return;
    }
    if (stream.state == State::header && (direction == Direction::request || stream.head.status >= 200)) {
        stream.body.begin(Body::Kind::none, 0);
        announce(stream, sink);
    }
    const bool ends_with_stream = stream.state == State::body && stream.body.kind() == Body::Kind::until_close;
    close(stream, position, ends_with_stream, sink);
}

}  // namespace

std::unique_ptr<Parser> make() {
    return std::make_unique<Http1>();
}

}  // namespace timesink::proto::http1
