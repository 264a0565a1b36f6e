#include <string>
#include <string_view>
#include <utility>

#include "proto/frames.hpp"
#include "proto/memcached/answers.hpp"
#include "proto/memcached/command.hpp"
#include "proto/memcached/parsers.hpp"

namespace timesink::proto::memcached {
namespace {

constexpr std::size_t kKept = 24 + 250;  // extras and key
constexpr std::uint8_t kStatistics = 0x10;

struct AskedBinary {
    std::uint8_t opcode = 0;
    std::uint32_t opaque = 0;
};

/// Answers come in order and repeat the request's operation and its number, which need not differ from the next one's. Quiet
/// requests are answered only when there is something to say: nobody waits for these.
class Binary final : public Parser, private FrameSink {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    std::optional<Shape> shape(Direction direction, std::string_view header) override;
    bool resumes(Direction direction, std::string_view bytes, Place place) override;
    void opened(const Frame& frame, Sink& sink) override;
    void closed(Direction direction, std::uint64_t end, Sink& sink) override;
    void lost(Direction direction, std::uint64_t position, Sink& sink) override;
    void request(const Frame& frame, Sink& sink);
    void answer(const Frame& frame, Sink& sink);

    Frames request_{Direction::request, kBinaryHeader};
    Frames response_{Direction::response, kBinaryHeader};
    Answers<AskedBinary> answers_;
    std::optional<End> asking_;
    bool over_ = false;  ///< the packet in progress ends its answer
    bool understood_ = false;
    bool not_mine_ = false;
};

Parsed Binary::parse(const Chunk& chunk, Sink& sink) {
    if (!not_mine_) {
        if (chunk.direction == Direction::response && !chunk.bytes.empty()) {
            answers_.hear();
        }
        (chunk.direction == Direction::request ? request_ : response_).take(chunk, *this, sink);
    }
    return not_mine_ ? Parsed{0, Verdict::not_mine} : Parsed{chunk.bytes.size(), Verdict::ok};
}

std::optional<FrameSink::Shape> Binary::shape(Direction direction, std::string_view header) {
    const BinaryHeader parsed = binary_header(header, direction == Direction::request);
    return parsed.valid ? std::optional(Shape{parsed.body, kKept}) : std::nullopt;
}

bool Binary::resumes(Direction direction, std::string_view bytes, Place place) {
    const bool request = direction == Direction::request;
    const BinaryHeader header = binary_header(bytes, request);
    return header.valid && (request ? place.begins_call : place.begins_call && !answers_.open());
}

void Binary::opened(const Frame& frame, Sink& sink) {
    understood_ = true;
    const BinaryHeader header = binary_header(frame.header, frame.direction == Direction::request);
    if (frame.payload.size() >= std::size_t{header.extras} + header.key) {
        keep(frame, frame.payload.substr(header.extras, header.key), Kept::key, sink);
    }
    frame.direction == Direction::request ? request(frame, sink) : answer(frame, sink);
}

void Binary::request(const Frame& frame, Sink& sink) {
    const BinaryHeader header = binary_header(frame.header, true);
    if (answers_.before_asking(response_.is_lost(), response_.seen(), sink)) {
        response_.found();
    }
    const bool quiet = is_quiet(header.opcode);
    Head head{.begin = frame.begin, .operation = std::string(binary_name(header.opcode)), .expects_response = !quiet};
    head.target = head.operation;
    head.housekeeping = header.key == 0;
    head.correlation = quiet ? answers_.number_unanswered() : answers_.ask({header.opcode, header.opaque});
    if (header.key > 0 && frame.payload.size() >= std::size_t{header.extras} + header.key) {
        head.attributes.emplace_back("memcached.key", frame.payload.substr(header.extras, header.key));
    }
    sink.head(head);
    asking_ = End{.correlation = head.correlation, .body_bytes = header.body - header.key - header.extras};
}

void Binary::answer(const Frame& frame, Sink& sink) {
    const BinaryHeader header = binary_header(frame.header, false);
    const AskedBinary* const asked = answers_.asked();
    over_ = false;
    if (is_quiet(header.opcode)) {
        return;
    }
    if (asked == nullptr || asked->opcode != header.opcode || asked->opaque != header.opaque) {
        response_.lose(frame.begin, *this, sink);
        return;
    }
    answers_.begin(frame.begin, sink);
    End& end = answers_.end();
    end.error = binary_error(header.status);
    const std::uint64_t value = header.body - header.key - header.extras;
    end.body_bytes += header.status == 0 ? value : 0;
    if (constexpr std::uint16_t kNotFound = 1; value > 0 || header.status == kNotFound) {
        end.rows = end.rows.value_or(0) + (header.status == 0 ? 1 : 0);
    }
    over_ = header.opcode != kStatistics || header.key == 0;
}

void Binary::closed(Direction direction, std::uint64_t end, Sink& sink) {
    if (direction == Direction::request && asking_) {
        asking_->end = end;
        sink.end(*asking_);
        asking_.reset();
    } else if (direction == Direction::response && std::exchange(over_, false)) {
        answers_.over(end, true, sink);
    }
}

void Binary::lost(Direction direction, std::uint64_t position, Sink& sink) {
    if (!understood_) {
        not_mine_ = true;
        return;
    }
    finish(direction, position, sink);
    if (direction == Direction::request) {
        answers_.lose_requests();
    } else {
        over_ = false;
        answers_.lose_answers(position, false, sink);
    }
    sink.lost_sync(direction, position);
}

void Binary::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (not_mine_ || end <= begin) {
        return;
    }
    if (direction == Direction::response) {
        answers_.hear();
    }
    (direction == Direction::request ? request_ : response_).gap(begin, end, *this, sink);
}

void Binary::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (direction == Direction::response) {
        answers_.over(position, false, sink);
    } else if (asking_) {
        asking_->end = position;
        asking_->complete = false;
        sink.end(*asking_);
        asking_.reset();
    }
}

}  // namespace

std::unique_ptr<Parser> make_binary() {
    return std::make_unique<Binary>();
}

}  // namespace timesink::proto::memcached
