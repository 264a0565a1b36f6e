#include <algorithm>
#include <string_view>
#include <utility>

#include "proto/frames.hpp"
#include "proto/http2/frame.hpp"
#include "proto/http2/header_block.hpp"
#include "proto/http2/http2.hpp"
#include "proto/http2/streams.hpp"
#include "proto/lines.hpp"

namespace timesink::proto::http2 {
namespace {

/// The largest frame that is believed: the limit of RFC 9113 is 16 MiB; nobody is known to send a header of more than this.
constexpr std::uint32_t kKeptBlock = 16384 + 256;

/// One direction of the connection.
struct Way {
    explicit Way(Direction way) : direction(way), frames(way, kHeaderBytes), block(way) {}

    Direction direction;
    Frames frames;
    HeaderBlocks blocks;
    Block block;  ///< of the HEADERS in progress
    std::uint64_t block_begin = 0;
    std::uint64_t frame_begin = 0;
    std::uint64_t content_left = 0;  ///< of the DATA in progress: bytes ahead of its padding
    std::uint64_t lost_from = 0;
    FrameHeader frame;           ///< in progress
    std::uint32_t block_of = 0;  ///< the stream of the HEADERS in progress; 0: there are none
    std::uint32_t ends_block = 0;
    bool block_ends_stream = false;
    bool block_promises = false;    ///< of a PUSH_PROMISE: read for the table's sake only
    bool told = false;              ///< a frame was seen
    bool counts_from_loss = false;  ///< everything since lost_from was of frames, none of them known
};

/// `request` frames make requests, `response` frames responses; each direction has its own table of fields.
///
/// A stream: HEADERS (request) → DATA → END_STREAM; response the same, behind interim HEADERS of 1xx, with trailers in a second
/// HEADERS. RST_STREAM ends it at once. Frames of streams that are not known (older than the attach, pushed) are passed over.
class Http2 final : public Parser, private FrameSink {
public:
    explicit Http2(std::uint64_t correlation_of_zero) : streams_(correlation_of_zero) {}
    void adopt_stream_one() { streams_.adopt(1); }

    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    std::optional<Shape> shape(Direction direction, std::string_view header) override;
    bool resumes(Direction direction, std::string_view bytes, Place place) override;
    void opened(const Frame& frame, Sink& sink) override;
    void rest(Direction direction, std::string_view piece, std::uint64_t position, std::uint64_t missing, Sink& sink) override;
    void closed(Direction direction, std::uint64_t end, Sink& sink) override;
    void lost(Direction direction, std::uint64_t position, Sink& sink) override;

    std::size_t take_preface(const Chunk& chunk, Sink& sink);
    void count(const Frame& frame, std::uint32_t id);
    void reset(const Frame& frame, std::uint32_t id, Sink& sink);
    void block_frame(Way& way, const Frame& frame, Sink& sink);
    void block_done(Way& way, std::uint64_t end, Sink& sink);
    void request_block(Way& way, std::uint64_t end, Sink& sink);
    void response_block(Way& way, std::uint64_t end, Sink& sink);
    void data(Way& way, const Frame& frame, Sink& sink);
    void end_of_stream(const Way& way, std::uint32_t id, std::uint64_t end, Sink& sink);
    void finish_by_length(Way& way, std::uint64_t position, Sink& sink);
    void give_block_up(Way& way, std::uint64_t position, Sink& sink);

    Way& way_of(Direction direction) { return direction == Direction::request ? request_ : response_; }

    Way request_{Direction::request};
    Way response_{Direction::response};
    Streams streams_;
    std::size_t preface_ = 0;  ///< bytes of it that were seen
    bool begun_ = false;       ///< bytes of the client were seen
    bool not_mine_ = false;
};

Parsed Http2::parse(const Chunk& chunk, Sink& sink) {
    if (not_mine_) {
        return {0, Verdict::not_mine};
    }
    Way& way = way_of(chunk.direction);
    const std::size_t preface = chunk.direction == Direction::request ? take_preface(chunk, sink) : 0;
    way.frames.take(chunk.bytes.subspan(preface), chunk.position + preface, chunk.ends_call, *this, sink);
    if (not_mine_) {
        return {0, Verdict::not_mine};
    }
    if (chunk.direction == Direction::response) {
        streams_.heard(way.frames.seen());
    }
    if (way.frames.is_lost() && chunk.ends_call) {
        finish_by_length(way, chunk.position + chunk.bytes.size(), sink);
    }
    return {chunk.bytes.size(), Verdict::ok};
}

/// How many of the bytes belong to the client's preface.
std::size_t Http2::take_preface(const Chunk& chunk, Sink& sink) {
    const std::string_view text = as_text(chunk.bytes);
    const bool may = !begun_ || (preface_ > 0 && preface_ < kPreface.size());
    begun_ = begun_ || !text.empty();
    const std::string_view expected = kPreface.substr(std::min(preface_, kPreface.size()), text.size());
    if (!may || text.substr(0, expected.size()) != expected) {
        not_mine_ = not_mine_ || (may && preface_ > 0);
        return 0;
    }
    sink.keep(Direction::request, chunk.position, expected, Kept::structure);
    preface_ += expected.size();
    if (preface_ == kPreface.size()) {
        request_.blocks.fresh();
    }
    return expected.size();
}

std::optional<FrameSink::Shape> Http2::shape(Direction direction, std::string_view header) {
    Way& way = way_of(direction);
    way.frame = frame_header(header);
    const bool known = is_regular(way.frame);
    // Types that nobody knows are to be ignored (RFC 9113 section 4.1), so they may come, but not as the first.
    const bool extension = way.told && !way.frame.reserved && static_cast<std::uint8_t>(way.frame.type) > 16;
    if (!known && !extension) {
        return std::nullopt;
    }
    const FrameType type = way.frame.type;
    const bool block = type == FrameType::headers || type == FrameType::continuation || type == FrameType::push_promise;
    const std::size_t kept = block                                               ? kKeptBlock
                             : type == FrameType::data && way.frame.has(kPadded) ? 1
                             : type == FrameType::rst_stream                     ? 4
                             : type == FrameType::settings                       ? way.frame.length
                                                                                 : 0;
    return Shape{way.frame.length, kept};
}

bool Http2::resumes(Direction direction, std::string_view bytes, Place place) {
    const FrameChain chain = frame_chain(bytes, streams_.latest());
    if (chain.broken) {
        return false;
    }
    if (chain.whole >= 2 || (chain.exact && place.ends_call)) {
        return true;
    }
    const FrameHeader first = frame_header(bytes);
    const bool carries = (first.type == FrameType::data || first.type == FrameType::headers) && first.length > 0;
    const bool opens = direction == Direction::request && first.type == FrameType::headers && streams_.is_new(first.stream);
    return carries && (opens ? place.begins_call : streams_.find(first.stream) != nullptr);
}

void Http2::opened(const Frame& frame, Sink& sink) {
    Way& way = way_of(frame.direction);
    const FrameHeader header = way.frame;
    way.frame_begin = frame.begin;
    if (!way.told && header.type == FrameType::settings && !header.has(kEndStream)) {
        way.blocks.fresh();  // what every connection begins with
    }
    way.told = true;
    if (std::exchange(way.counts_from_loss, false)) {
        streams_.credit_lost(frame.direction, frame.begin - way.lost_from);
    }
    way.ends_block = 0;
    if (way.block_of != 0 && (header.type != FrameType::continuation || header.stream != way.block_of)) {
        give_block_up(way, frame.begin, sink);
    }
    count(frame, header.stream);
    switch (header.type) {
        case FrameType::headers:
        case FrameType::push_promise:
            way.block.clear();
            way.block_of = header.stream;
            way.block_begin = frame.begin;
            way.block_ends_stream = header.type == FrameType::headers && header.has(kEndStream);
            way.block_promises = header.type == FrameType::push_promise;
            block_frame(way, frame, sink);
            break;
        case FrameType::continuation:
            if (way.block_of != 0) {
                block_frame(way, frame, sink);
            } else {
                way.blocks.lost();
            }
            break;
        case FrameType::data:
            data(way, frame, sink);
            break;
        case FrameType::rst_stream:
            reset(frame, header.stream, sink);
            break;
        case FrameType::settings:
            keep(frame, frame.payload, Kept::structure, sink);  // tells the protocol, where it is detected
            break;
        default:
            break;
    }
}

/// The bytes of a frame are its stream's.
void Http2::count(const Frame& frame, std::uint32_t id) {
    Stream* const stream = id != 0 ? streams_.find(id) : nullptr;
    if (stream == nullptr) {
        return;
    }
    const std::uint64_t bytes = frame.end - frame.begin;
    if (frame.direction == Direction::response) {
        stream->doubtful = false;
        stream->response_bytes += bytes;
        stream->response_seen = frame.end;
    } else if (!stream->request_over) {
        stream->request_bytes += bytes;
    }
}

void Http2::reset(const Frame& frame, std::uint32_t id, Sink& sink) {
    keep(frame, frame.payload, Kept::structure, sink);
    std::uint32_t code = 0;
    for (const char byte : frame.payload) {
        code = code << 8 | static_cast<unsigned char>(byte);
    }
    code = frame.payload.size() == 4 ? code : kHidden;
    const bool by_server = frame.direction == Direction::response;
    const std::uint64_t heard = response_.frames.seen();
    streams_.reset(id, frame.direction, by_server ? frame.begin : heard, by_server ? frame.end : heard, code, sink);
}

/// A piece of a header block, padding and priority taken off.
void Http2::block_frame(Way& way, const Frame& frame, Sink& sink) {
    std::string_view piece = frame.payload;
    const FrameHeader& header = way.frame;
    std::size_t padding = 0;
    if (header.type != FrameType::continuation && header.has(kPadded) && !piece.empty()) {
        padding = static_cast<unsigned char>(piece.front());
        piece.remove_prefix(1);
    }
    const std::size_t ahead = header.type == FrameType::push_promise                       ? 4
                              : header.type == FrameType::headers && header.has(kPriority) ? 5
                                                                                           : 0;
    const bool whole = frame.whole() && piece.size() >= padding + ahead;
    piece.remove_prefix(std::min(ahead, piece.size()));
    keep(frame, frame.payload.substr(0, frame.payload.size() - piece.size()), Kept::structure, sink);
    if (whole) {
        piece.remove_suffix(padding);
    }
    const bool last = header.has(kEndHeaders);
    const std::uint64_t position = frame.begin + kHeaderBytes + static_cast<std::uint64_t>(piece.data() - frame.payload.data());
    way.blocks.add(piece, position, last && whole, way.block, sink);
    if (!whole) {
        way.block.cut = true;
        way.blocks.cut(last);  // what was in the rest is in the peer's table, and not in ours
        way.block.fields.finish();
    }
    way.ends_block = last ? way.block_of : 0;
}

void Http2::data(Way& way, const Frame& frame, Sink& sink) {
    Stream* const stream = streams_.find(way.frame.stream);
    if (stream == nullptr) {
        return;
    }
    if (frame.direction == Direction::response && !stream->responded) {
        way.block.clear();
        way.block.cut = true;  // its HEADERS were lost
        streams_.response(*stream, frame.begin, way.block, sink);
    }
    const bool padded = way.frame.has(kPadded) && !frame.payload.empty();
    keep(frame, frame.payload, Kept::structure, sink);
    const std::uint64_t padding = padded ? 1 + std::uint64_t{static_cast<unsigned char>(frame.payload.front())} : 0;
    const std::uint64_t body = frame.payload_bytes() - std::min(frame.payload_bytes(), padding);
    (frame.direction == Direction::request ? stream->request_body : stream->response_body) += body;
    way.content_left = body;
}

void Http2::rest(Direction direction, std::string_view piece, std::uint64_t position, std::uint64_t missing, Sink& sink) {
    Way& way = way_of(direction);
    const std::uint64_t bytes = std::min(way.content_left, missing + piece.size());
    const Stream* const stream = bytes > 0 ? streams_.find(way.frame.stream) : nullptr;
    way.content_left -= bytes;
    if (stream == nullptr || (direction == Direction::request ? stream->request_over : !stream->responded)) {
        return;  // frames behind the end of their message are nobody's
    }
    const auto content = std::as_bytes(std::span(piece)).first(piece.empty() ? 0 : static_cast<std::size_t>(bytes));
    sink.content({direction, stream->correlation, position, content, piece.empty() ? bytes : 0, way.frame_begin});
}

void Http2::closed(Direction direction, std::uint64_t end, Sink& sink) {
    Way& way = way_of(direction);
    if (way.ends_block != 0) {
        block_done(way, end, sink);
    } else if (way.frame.type == FrameType::data && way.frame.has(kEndStream)) {
        end_of_stream(way, way.frame.stream, end, sink);
    }
}

void Http2::block_done(Way& way, std::uint64_t end, Sink& sink) {
    if (!way.block_promises) {
        way.direction == Direction::request ? request_block(way, end, sink) : response_block(way, end, sink);
    }
    way.block_of = way.ends_block = 0;
}

void Http2::request_block(Way& way, std::uint64_t end, Sink& sink) {
    if (streams_.is_new(way.block_of)) {
        streams_.request(way.block_of, way.block_begin, way.block, sink);
        if (Stream* const stream = streams_.find(way.block_of)) {
            stream->request_bytes = end - way.block_begin;
        }
    }
    if (way.block_ends_stream) {
        end_of_stream(way, way.block_of, end, sink);
    }
}

void Http2::response_block(Way& way, std::uint64_t end, Sink& sink) {
    Stream* const stream = streams_.find(way.block_of);
    if (stream == nullptr) {
        return;
    }
    const bool interim = way.block.status >= 100 && way.block.status < 200;
    if (!stream->responded && !interim) {
        streams_.response(*stream, way.block_begin, way.block, sink);
    }
    if (way.block_ends_stream) {
        // A status of gRPC that stands in the table since before the attach is not known. Where a message came, it rarely is an
        // error.
        const bool hidden = way.block.hidden && way.block.grpc_status < 0 && stream->grpc && stream->response_body == 0;
        const bool untold = way.block.cut || hidden;
        streams_.response_over(way.block_of, end, !untold, way.block.grpc_status, sink);
    }
}

void Http2::end_of_stream(const Way& way, std::uint32_t id, std::uint64_t end, Sink& sink) {
    if (way.direction == Direction::request) {
        streams_.request_over(id, end, true, sink, way.frame_begin);
    } else {
        streams_.response_over(id, end, true, -1, sink);
    }
}

/// A header block whose rest is missing: what is known of it is told, in time for what it begins.
void Http2::give_block_up(Way& way, std::uint64_t position, Sink& sink) {
    way.block.fields.finish();
    way.block.cut = true;
    way.blocks.cut(true);
    if (way.block_of != 0) {
        way.block_ends_stream = false;
        block_done(way, position, sink);
    }
}

void Http2::lost(Direction direction, std::uint64_t position, Sink& sink) {
    Way& way = way_of(direction);
    if (!way.told && !(direction == Direction::request ? response_ : request_).told) {
        not_mine_ = preface_ != kPreface.size();
        if (not_mine_) {
            return;
        }
    }
    way.content_left = 0;
    way.lost_from = position;
    way.counts_from_loss = way.block_of == 0;
    give_block_up(way, position, sink);
    if (direction == Direction::response) {
        streams_.doubt();
    }
    streams_.unread(direction, position, sink);
    sink.lost_sync(direction, position);
}

/// The frames of one body whose length is announced, and nothing else, since frames were lost: then the bytes since are the rest
/// of it and nine for each frame. That they come out even at the end of a call says that the body ended there.
void Http2::finish_by_length(Way& way, std::uint64_t position, Sink& sink) {
    const std::uint32_t id = way.direction == Direction::response && way.counts_from_loss ? streams_.alone() : 0;
    Stream* const stream = id != 0 ? streams_.find(id) : nullptr;
    if (stream == nullptr || stream->announced_bytes <= stream->response_body) {
        return;
    }
    const std::uint64_t body = stream->announced_bytes - stream->response_body;
    const std::uint64_t bytes = position - way.lost_from;
    const std::uint64_t most_frames = body / 1024 + 2;
    if (bytes <= body || (bytes - body) % kHeaderBytes != 0 || (bytes - body) / kHeaderBytes > most_frames) {
        return;
    }
    stream->response_body += body;
    stream->response_bytes += bytes;
    way.frames.found();
    streams_.response_over(id, position, true, -1, sink);
}

void Http2::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (!not_mine_ && end > begin) {
        begun_ = begun_ || direction == Direction::request;
        way_of(direction).frames.gap(begin, end, *this, sink);
    }
}

void Http2::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (!not_mine_) {
        give_block_up(way_of(direction), position, sink);
        streams_.finish(direction, position, sink);
    }
}

}  // namespace

std::unique_ptr<Parser> make() {
    return std::make_unique<Http2>(0);
}

std::unique_ptr<Parser> make_upgraded(Correlation stream_one) {
    auto parser = std::make_unique<Http2>(static_cast<std::uint64_t>(stream_one) - 1);
    parser->adopt_stream_one();
    return parser;
}

}  // namespace timesink::proto::http2
