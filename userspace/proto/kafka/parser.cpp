#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/frames.hpp"
#include "proto/kafka/kafka.hpp"
#include "proto/kafka/message.hpp"
#include "proto/lines.hpp"
#include "proto/numbered.hpp"
#include "proto/reader.hpp"

namespace timesink::proto::kafka {
namespace {

constexpr std::size_t kHeaderBytes = 8;  // the length, and of a request api and version, of a response the correlation id
constexpr std::size_t kKeptOfRequest = 4096;
constexpr std::size_t kKeptOfResponse = 512;
constexpr std::size_t kKeptOfMetadata = std::size_t{16} * 1024;
constexpr std::size_t kMostOfSession = 4;

struct Asked {
    std::uint16_t api = 0;
    std::uint16_t version = 0;
};

/// One exchange per request. Responses name their request by its correlation id, and come in order.
class Kafka final : public Parser, private FrameSink {
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
    void remember(Request& told);
    void response(const Frame& frame, Sink& sink);
    void over(Direction direction, std::uint64_t end, bool complete, Sink& sink);
    void give_up(Correlation correlation, Sink& sink) const;

    Frames request_{Direction::request, kHeaderBytes};
    Frames response_{Direction::response, kHeaderBytes};
    std::optional<End> asking_;
    std::optional<End> answering_;
    Numbered<Asked> numbered_;
    std::vector<Topic> session_;  ///< topics of the latest session's fetches
    bool understood_ = false;
    bool not_mine_ = false;
};

Parsed Kafka::parse(const Chunk& chunk, Sink& sink) {
    if (!not_mine_) {
        (chunk.direction == Direction::request ? request_ : response_).take(chunk, *this, sink);
    }
    return not_mine_ ? Parsed{0, Verdict::not_mine} : Parsed{chunk.bytes.size(), Verdict::ok};
}

std::optional<FrameSink::Shape> Kafka::shape(Direction direction, std::string_view header) {
    Reader reader(header);
    const std::uint64_t length = reader.big<4>();
    if (length < kHeaderBytes - kLengthBytes || length > kLongest) {
        return std::nullopt;
    }
    const std::uint64_t rest = length - (kHeaderBytes - kLengthBytes);
    if (direction == Direction::request) {
        const std::uint64_t api = reader.big<2>();
        return !api_name(static_cast<std::uint16_t>(api)).empty() && rest >= 6 ? std::optional(Shape{rest, kKeptOfRequest})
                                                                               : std::nullopt;
    }
    const auto* const asked = numbered_.find(reader.big<4>());
    if (asked == nullptr) {
        return std::nullopt;
    }
    return Shape{rest, asked->asked.api == kMetadata ? kKeptOfMetadata : kKeptOfResponse};
}

bool Kafka::resumes(Direction direction, std::string_view bytes, Place place) {
    if (!place.begins_call) {
        return false;
    }
    return direction == Direction::request ? detect(direction, std::as_bytes(std::span(bytes))) == Match::yes
                                           : shape(direction, bytes).has_value();
}

void Kafka::opened(const Frame& frame, Sink& sink) {
    frame.direction == Direction::request ? request(frame, sink) : response(frame, sink);
}

void Kafka::request(const Frame& frame, Sink& sink) {
    const std::string payload = std::string(frame.header.substr(kLengthBytes)) + std::string(frame.payload);
    const RequestHeader header = request_header(payload);
    if (!header.valid || frame.payload.size() < 4) {  // or its correlation id is in a gap
        request_.lose(frame.begin, *this, sink);
        return;
    }
    understood_ = true;
    Request told = request_of(header, payload);
    for (const std::string_view part : told.parts) {
        const auto offset = kLengthBytes + static_cast<std::uint64_t>(part.data() - payload.data());
        sink.keep(Direction::request, frame.begin + offset, part, Kept::structure);
    }
    Head head{.begin = frame.begin, .operation = std::string(api_name(header.api)), .housekeeping = is_housekeeping(header.api)};
    head.target = head.operation;
    if (header.api == kFetch) {
        remember(told);
    }
    for (Topic& topic : told.topics) {
        if (topic.name.empty()) {
            head.attributes.emplace_back("kafka.topic_id", std::move(topic.id));
            continue;
        }
        head.target.append(head.target.size() == head.operation.size() ? " " : ", ").append(topic.name);
        head.attributes.emplace_back("messaging.destination.name", std::move(topic.name));
    }
    head.expects_response = told.answered;
    head.correlation = head.expects_response ? numbered_.ask(header.correlation, {header.api, header.version},
                                                             [&](Correlation lost) { give_up(lost, sink); })
                                             : numbered_.number_unanswered();
    sink.head(head);
    asking_ = End{.correlation = head.correlation, .body_bytes = frame.end - frame.begin - kLengthBytes};
}

/// What a session fetches, told or not.
void Kafka::remember(Request& told) {
    const auto holds = [this](const Topic& topic) {
        return std::find(session_.begin(), session_.end(), topic) != session_.end();
    };
    if (!told.goes_on) {
        session_ = told.topics;
        return;
    }
    for (const Topic& topic : told.forgotten) {
        std::erase(session_, topic);
    }
    for (Topic& topic : told.topics) {
        if (!holds(topic) && session_.size() < kMostOfSession) {
            session_.push_back(std::move(topic));
        }
    }
    told.topics = session_;
}

void Kafka::response(const Frame& frame, Sink& sink) {
    const std::uint64_t answers = Reader(frame.header.substr(kLengthBytes)).big<4>();
    const auto* const open = numbered_.find(answers);
    if (open == nullptr) {
        return;
    }
    const Correlation correlation = open->correlation;
    const Asked asked = open->asked;
    numbered_.remove(answers);  // the number may come again before this response is over
    numbered_.give_up_before(correlation, [&](Correlation lost) { give_up(lost, sink); });
    const Response told = response_of(asked.api, asked.version, frame.payload, frame.whole());
    for (const std::string_view part : told.parts) {
        keep(frame, part, Kept::structure, sink);
    }
    sink.head({.direction = Direction::response, .correlation = correlation, .begin = frame.begin});
    answering_ = End{.direction = Direction::response,
                     .correlation = correlation,
                     .body_bytes = frame.end - frame.begin - kLengthBytes,
                     .error = told.error,
                     .complete = told.known};
    for (const Topic& topic : told.topics) {
        answering_->attributes.emplace_back("kafka.topic", topic.id + topic.name);
    }
}

void Kafka::closed(Direction direction, std::uint64_t end, Sink& sink) {
    over(direction, end, true, sink);
}

void Kafka::over(Direction direction, std::uint64_t end, bool complete, Sink& sink) {
    std::optional<End>& open = direction == Direction::request ? asking_ : answering_;
    if (!open) {
        return;
    }
    open->end = end;
    open->complete = open->complete && complete;
    sink.end(*open);
    open.reset();
}

/// It will not be answered, as far as can be told: an End without a Head.
void Kafka::give_up(Correlation correlation, Sink& sink) const {
    sink.end({.direction = Direction::response,
              .correlation = correlation,
              .end = response_.seen(),
              .error = "lost",
              .complete = false});
}

void Kafka::lost(Direction direction, std::uint64_t position, Sink& sink) {
    if (!understood_ && direction == Direction::request) {
        not_mine_ = true;
        return;
    }
    over(direction, position, false, sink);
    if (direction == Direction::request) {
        session_.clear();  // what it forgot may have been in it
    }
    sink.lost_sync(direction, position);
}

void Kafka::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (!not_mine_ && end > begin) {
        (direction == Direction::request ? request_ : response_).gap(begin, end, *this, sink);
    }
}

void Kafka::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (!not_mine_) {
        over(direction, position, false, sink);
    }
}

}  // namespace

/// Responses have nothing to be known by: their requests tell.
Match detect(Direction direction, std::span<const std::byte> bytes) {
    const std::string_view text = as_text(bytes);
    Reader reader(text);
    const std::uint64_t length = reader.big<4>();
    if (direction == Direction::response || (reader.ok() && (length < 10 || length > kLongest))) {
        return Match::no;
    }
    const std::string_view payload = text.substr(std::min(text.size(), kLengthBytes));
    if (payload.size() < 10) {
        const bool api = payload.size() < 2 || !api_name(static_cast<std::uint16_t>(Reader(payload).big<2>())).empty();
        const bool version = payload.size() < 4 || (payload[2] == '\0' && static_cast<unsigned char>(payload[3]) <= 20);
        return api && version && (text.empty() || static_cast<unsigned char>(text[0]) < 0x40) ? Match::maybe : Match::no;
    }
    const RequestHeader header = request_header(payload);
    if (!header.valid || payload.size() > length) {
        return Match::no;
    }
    if (payload.size() == length) {
        return !header.client.empty() || header.api == 18 ? Match::yes : Match::maybe;  // 18: ApiVersions, the first of all
    }
    const std::uint64_t announced = Reader(payload.substr(8)).big<2>();
    const bool named = announced >= 4 && announced < 200;
    return named && payload.size() >= 10 + announced ? Match::yes : announced > 0 && announced <= 255 ? Match::maybe : Match::no;
}

std::unique_ptr<Parser> make() {
    return std::make_unique<Kafka>();
}

}  // namespace timesink::proto::kafka
