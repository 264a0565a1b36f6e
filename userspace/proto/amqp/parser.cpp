#include <algorithm>
#include <string_view>
#include <utility>

#include "proto/amqp/amqp.hpp"
#include "proto/amqp/channels.hpp"
#include "proto/amqp/frame.hpp"
#include "proto/amqp/redaction.hpp"
#include "proto/frames.hpp"
#include "proto/lines.hpp"
#include "proto/reader.hpp"

namespace timesink::proto::amqp {
namespace {

constexpr std::size_t kKeptMethod = 1024;   // exchange, routing key and queue have at most 255 bytes each
constexpr std::size_t kKeptHeader = 4 + 8;  // class, weight and size
constexpr std::uint64_t kFraming = kHeaderBytes + 1;

/// Frames of both directions; the channels pair them.
class Amqp final : public Parser, private FrameSink {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    struct Way {
        explicit Way(Direction direction) : frames(direction, kHeaderBytes) {}
        Frames frames;
        FrameHeader header;  ///< of the frame in progress
        std::optional<std::uint64_t> content_size;
        std::uint32_t full_body = 0;  ///< bytes of a body that others of its content followed; 0: none was seen
        bool assumed = false;         ///< the frame in progress: its header was not captured
        std::uint64_t assumed_bytes = 0;
        bool mistaken = false;  ///< and it is none
    };
    std::optional<Shape> shape(Direction direction, std::string_view header) override;
    bool resumes(Direction direction, std::string_view bytes, Place place) override;
    void opened(const Frame& frame, Sink& sink) override;
    void rest(Direction direction, std::string_view piece, std::uint64_t position, std::uint64_t missing, Sink& sink) override;
    void closed(Direction direction, std::uint64_t end, Sink& sink) override;
    void lost(Direction direction, std::uint64_t position, Sink& sink) override;
    std::size_t take_greeting(const Chunk& chunk, Sink& sink);
    std::uint64_t content_left(Direction direction);
    void assume_bodies(Direction direction, std::uint64_t begin, std::uint64_t end);
    void from_client(Method method, const Frame& frame, Sink& sink);

    Way& way_of(Direction direction) { return direction == Direction::request ? request_ : response_; }

    Way request_{Direction::request};
    Way response_{Direction::response};
    Channels channels_;
    std::size_t greeting_ = 0;  ///< bytes of the protocol header that were seen
    bool begun_ = false;
    bool understood_ = false;
    bool not_mine_ = false;
};

Parsed Amqp::parse(const Chunk& chunk, Sink& sink) {
    if (not_mine_) {
        return {0, Verdict::not_mine};
    }
    const std::size_t greeting = chunk.direction == Direction::request ? take_greeting(chunk, sink) : 0;
    way_of(chunk.direction).frames.take(chunk.bytes.subspan(greeting), chunk.position + greeting, chunk.ends_call, *this, sink);
    return not_mine_ ? Parsed{0, Verdict::not_mine} : Parsed{chunk.bytes.size(), Verdict::ok};
}

std::size_t Amqp::take_greeting(const Chunk& chunk, Sink& sink) {
    const std::string_view text = as_text(chunk.bytes);
    const bool may = !begun_ || (greeting_ > 0 && greeting_ < kProtocolHeader.size());
    begun_ = begun_ || !text.empty();
    const std::string_view expected = kProtocolHeader.substr(std::min(greeting_, kProtocolHeader.size()), text.size());
    if (!may || text.substr(0, expected.size()) != expected) {
        not_mine_ = not_mine_ || (may && greeting_ > 0);
        return 0;
    }
    sink.keep(Direction::request, chunk.position, expected, Kept::structure);
    greeting_ += expected.size();
    if (greeting_ == kProtocolHeader.size()) {
        understood_ = true;
        const std::uint64_t end = chunk.position + expected.size();
        channels_.greet(end - kProtocolHeader.size(), end, sink);
    }
    return expected.size();
}

std::optional<FrameSink::Shape> Amqp::shape(Direction direction, std::string_view header) {
    Way& way = way_of(direction);
    way.header = frame_header(header);
    if (!way.header.valid) {
        return std::nullopt;
    }
    const std::size_t kept = way.header.type == FrameType::method   ? kKeptMethod
                             : way.header.type == FrameType::header ? kKeptHeader
                                                                    : 0;
    return Shape{std::uint64_t{way.header.size} + 1, kept};
}

bool Amqp::resumes(Direction, std::string_view bytes, Place place) {
    const Chain chain = frame_chain(bytes);
    return chain == Chain::whole || (chain == Chain::may && place.begins_call);
}

void Amqp::opened(const Frame& frame, Sink& sink) {
    Way& way = way_of(frame.direction);
    way.content_size.reset();
    way.assumed = false;
    if (way.header.type == FrameType::body && channels_.left(frame.direction, way.header.channel) > way.header.size) {
        way.full_body = way.header.size;
    }
    if (way.header.type == FrameType::header) {
        Reader reader(frame.payload);
        (void)reader.take(4);
        const std::uint64_t size = reader.big<8>();
        if (!reader.ok()) {
            way.frames.lose(frame.begin, *this, sink);  // how many bodies follow is in the gap
            return;
        }
        proto::keep(frame, frame.payload, Kept::structure, sink);
        way.content_size = size;
        return;
    }
    if (way.header.type != FrameType::method) {
        return;
    }
    const Method method = method_of(frame.payload);
    const bool ended = !frame.whole() || frame.payload.back() == kFrameEnd;
    if (name_of(method).empty() || !ended) {
        way.frames.lose(frame.begin, *this, sink);
        return;
    }
    understood_ = true;
    if (sink.redacts()) {
        keep(frame, method, sink);
    }
    // Methods are short: what one says is told when its frame begins, and its frame is over in the same call.
    if (frame.direction == Direction::request) {
        from_client(method, frame, sink);
    } else {
        channels_.answer(method, way.header.channel, frame.payload, frame.begin, frame.end, sink);
    }
}

void Amqp::from_client(Method method, const Frame& frame, Sink& sink) {
    if (method == methods::kBasicPublish) {
        channels_.publish(request_.header.channel, frame.payload, frame.begin, sink);
    } else {
        channels_.ask(method, request_.header.channel, frame.payload, frame.begin, frame.end, sink);
    }
}

/// Of a frame that is assumed to be there, the last byte must be what ends a frame.
void Amqp::rest(Direction direction, std::string_view piece, std::uint64_t, std::uint64_t, Sink&) {
    Way& way = way_of(direction);
    way.mistaken = way.assumed && !piece.empty() && way.frames.to_end() == 0 && piece.back() != kFrameEnd;
}

void Amqp::closed(Direction direction, std::uint64_t end, Sink& sink) {
    Way& way = way_of(direction);
    if (std::exchange(way.mistaken, false)) {
        way.frames.lose(end, *this, sink);
        return;
    }
    sink.keep(direction, end - 1, std::string_view(&kFrameEnd, 1), Kept::structure);
    if (way.header.type == FrameType::header || way.header.type == FrameType::body) {
        const std::uint64_t bytes = way.assumed ? way.assumed_bytes : way.header.size;
        channels_.content(direction, way.header.channel, way.content_size, bytes, end, sink);
    }
}

void Amqp::lost(Direction direction, std::uint64_t position, Sink& sink) {
    if (!understood_) {
        not_mine_ = true;
        return;
    }
    channels_.lose(direction, position, sink);
    sink.lost_sync(direction, position);
}

void Amqp::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (not_mine_ || end <= begin) {
        return;
    }
    begun_ = begun_ || direction == Direction::request;
    Frames& frames = way_of(direction).frames;
    // Its last byte is needed to tell whether there were such frames.
    const bool known = content_left(direction) > end - begin;
    while (begin < end) {
        if (known && frames.to_end() == 0) {
            assume_bodies(direction, begin, end);
        }
        const std::uint64_t until = known ? std::min(end, begin + frames.to_end()) : end;
        frames.gap(begin, until, *this, sink);
        begin = until;
    }
}

/// Who sends a message that does not fit one frame fills them, and mostly sends them in one go: where only begin and end of that
/// call were captured, the frames between them are told by the message's size. Returns the bytes to its end, with those of the
/// frame in progress; 0: not known.
std::uint64_t Amqp::content_left(Direction direction) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 48;  // nobody has sent that
    const Way& way = way_of(direction);
    const std::uint64_t to_end = way.frames.to_end();
    const bool body = way.header.type == FrameType::body;
    const bool in_body = to_end > 0 && body;
    const bool between = to_end == 0 && way.frames.between() && (way.header.type == FrameType::header || body);
    std::uint64_t left = in_body || between ? channels_.left(direction, way.header.channel) : 0;
    left -= in_body ? std::min<std::uint64_t>(left, way.assumed ? way.assumed_bytes : way.header.size) : 0;
    if (left == 0 || left > kMost || way.full_body == 0) {
        return 0;
    }
    const std::uint64_t frames = (left + way.full_body - 1) / way.full_body;
    return to_end + left + frames * kFraming - way.frames.held();
}

/// Those that end before `end` as one, for there may be many; else the one that goes on behind it.
void Amqp::assume_bodies(Direction direction, std::uint64_t begin, std::uint64_t end) {
    Way& way = way_of(direction);
    const std::uint64_t full = way.full_body + kFraming;
    const std::uint64_t whole = (end - begin + way.frames.held()) / full;
    way.header.type = FrameType::body;
    way.content_size.reset();
    way.assumed = true;
    way.assumed_bytes =
        whole > 0 ? whole * way.full_body : std::min<std::uint64_t>(channels_.left(direction, way.header.channel), way.full_body);
    way.frames.pass_over(begin, whole > 0 ? whole * full : way.assumed_bytes + kFraming);
}

void Amqp::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (!not_mine_) {
        channels_.finish(direction, position, sink);
    }
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    const std::string_view text = as_text(bytes);
    if (text.empty()) {
        return Match::maybe;
    }
    if (direction == Direction::request && text.front() == 'A') {
        const std::size_t size = std::min(text.size(), kProtocolHeader.size());
        return text.substr(0, size) != kProtocolHeader.substr(0, size) ? Match::no
               : size == kProtocolHeader.size()                        ? Match::yes
                                                                       : Match::maybe;
    }
    if (text.size() < kHeaderBytes + 4) {
        const bool heartbeat = text == std::string_view("\x08\0\0\0\0\0\0\xce", 8);
        const bool may = text.front() >= 1 && text.front() <= 3 && (text.size() < 4 || text[3] == '\0') &&
                         (text.size() < 7 || frame_header(text).valid);
        const bool begins_heartbeat = text.size() < 8 && std::string_view("\x08\0\0\0\0\0\0", 7).starts_with(text);
        return heartbeat ? Match::yes : may || begins_heartbeat ? Match::maybe : Match::no;
    }
    const Chain chain = frame_chain(text);
    return chain == Chain::whole ? Match::yes : chain == Chain::may ? Match::maybe : Match::no;
}

std::unique_ptr<Parser> make() {
    return std::make_unique<Amqp>();
}

}  // namespace timesink::proto::amqp
