#include <string>
#include <string_view>
#include <utility>

#include "proto/frames.hpp"
#include "proto/lines.hpp"
#include "proto/mongodb/message.hpp"
#include "proto/mongodb/mongodb.hpp"
#include "proto/mongodb/redaction.hpp"
#include "proto/numbered.hpp"

namespace timesink::proto::mongodb {
namespace {

constexpr std::size_t kKept = std::size_t{16} * 1024;  // more than a call's captured head

struct Asked {};

/// One exchange per command. Messages have numbers, and a reply names its request's: the order is not needed.
class Mongodb final : public Parser, private FrameSink {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    /// A message in progress that is told of.
    struct Open {
        Correlation correlation{};
        End end;
        bool told = false;
    };
    std::optional<Shape> shape(Direction direction, std::string_view header) override;
    bool resumes(Direction direction, std::string_view bytes, Place place) override;
    void opened(const Frame& frame, Sink& sink) override;
    void closed(Direction direction, std::uint64_t end, Sink& sink) override;
    void lost(Direction direction, std::uint64_t position, Sink& sink) override;
    void request(const Frame& frame, const Header& header, Sink& sink);
    void reply(const Frame& frame, const Header& header, Sink& sink);
    void over(Direction direction, std::uint64_t end, bool complete, Sink& sink);
    void give_up(Correlation correlation, Sink& sink) const;

    Frames request_{Direction::request, kHeaderBytes};
    Frames response_{Direction::response, kHeaderBytes};
    Open asking_;
    Open answering_;
    Numbered<Asked> numbered_;
    bool understood_ = false;
    bool not_mine_ = false;
};

Parsed Mongodb::parse(const Chunk& chunk, Sink& sink) {
    if (!not_mine_) {
        (chunk.direction == Direction::request ? request_ : response_).take(chunk, *this, sink);
    }
    return not_mine_ ? Parsed{0, Verdict::not_mine} : Parsed{chunk.bytes.size(), Verdict::ok};
}

std::optional<FrameSink::Shape> Mongodb::shape(Direction direction, std::string_view header) {
    const Header parsed = header_of(header);
    return is_likely(parsed, direction == Direction::request) ? std::optional(Shape{parsed.length - kHeaderBytes, kKept})
                                                              : std::nullopt;
}

bool Mongodb::resumes(Direction direction, std::string_view bytes, Place place) {
    const Header header = header_of(bytes);
    const bool request = direction == Direction::request;
    if (!is_likely(header, request) || !fits(header, bytes.substr(kHeaderBytes))) {
        return false;
    }
    return request ? place.begins_call || header.operation == Operation::message : numbered_.find(header.answers) != nullptr;
}

void Mongodb::opened(const Frame& frame, Sink& sink) {
    const Header header = header_of(frame.header);
    if (!fits(header, frame.payload)) {
        (frame.direction == Direction::request ? request_ : response_).lose(frame.begin, *this, sink);
        return;
    }
    understood_ = true;
    if (sink.redacts()) {
        keep(frame, header, sink);
    }
    frame.direction == Direction::request ? request(frame, header, sink) : reply(frame, header, sink);
}

void Mongodb::request(const Frame& frame, const Header& header, Sink& sink) {
    Command command = command_of(header, frame.payload);
    Head head{.begin = frame.begin, .operation = std::move(command.name), .target = std::move(command.shape)};
    head.housekeeping = command.housekeeping;
    head.expects_response = command.answered;
    head.correlation = command.answered ? numbered_.ask(header.id, {}, [&](Correlation lost) { give_up(lost, sink); })
                                        : numbered_.number_unanswered();
    if (!command.database.empty()) {
        head.attributes.emplace_back("db.namespace", std::move(command.database));
    }
    if (!command.collection.empty()) {
        head.attributes.emplace_back("db.collection.name", std::move(command.collection));
    }
    asking_ = {head.correlation, {}, true};
    sink.head(head);
}

void Mongodb::reply(const Frame& frame, const Header& header, Sink& sink) {
    const auto* const open = numbered_.find(header.answers);
    if (open == nullptr) {
        return;  // asked before the attach, or one more reply to a request that has had one (exhaust)
    }
    const Correlation correlation = open->correlation;
    // A server reads the next command of a connection when it has answered the one before.
    numbered_.give_up_before(correlation, [&](Correlation lost) { give_up(lost, sink); });
    Reply reply = reply_of(header, frame.payload, frame.whole());
    numbered_.remove(header.answers);  // the number may come again before this reply is over
    answering_ = {correlation, {}, true};
    answering_.end = End{.direction = Direction::response,
                         .body_bytes = frame.payload_bytes(),
                         .rows = reply.rows,
                         .error = std::move(reply.error),
                         .complete = reply.known};
    sink.head({.direction = Direction::response, .correlation = correlation, .begin = frame.begin});
}

void Mongodb::closed(Direction direction, std::uint64_t end, Sink& sink) {
    over(direction, end, true, sink);
}

void Mongodb::over(Direction direction, std::uint64_t end, bool complete, Sink& sink) {
    Open& open = direction == Direction::request ? asking_ : answering_;
    if (!std::exchange(open.told, false)) {
        return;
    }
    open.end.direction = direction;
    open.end.correlation = open.correlation;
    open.end.end = end;
    open.end.complete = open.end.complete && complete;
    sink.end(open.end);
}

/// It will not be answered, as far as can be told: an End without a Head.
void Mongodb::give_up(Correlation correlation, Sink& sink) const {
    sink.end({.direction = Direction::response,
              .correlation = correlation,
              .end = response_.seen(),
              .error = "lost",
              .complete = false});
}

void Mongodb::lost(Direction direction, std::uint64_t position, Sink& sink) {
    if (!understood_) {
        not_mine_ = true;
        return;
    }
    over(direction, position, false, sink);
    sink.lost_sync(direction, position);
}

void Mongodb::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (!not_mine_ && end > begin) {
        (direction == Direction::request ? request_ : response_).gap(begin, end, *this, sink);
    }
}

void Mongodb::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (!not_mine_) {
        over(direction, position, false, sink);
    }
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    const std::string_view text = as_text(bytes);
    const bool request = direction == Direction::request;
    if (text.size() < kHeaderBytes) {
        const bool small = text.size() < 4 || (header_of(text).length >= kHeaderBytes + 9 && text[3] == '\0' &&
                                               static_cast<unsigned char>(text[2]) < 0x10);
        const bool asks = !request || text.size() < 9 || text.substr(8, 4).find_first_not_of('\0') == std::string_view::npos;
        return small && asks ? Match::maybe : Match::no;
    }
    const Header header = header_of(text);
    return is_likely(header, request) && fits(header, text.substr(kHeaderBytes)) ? Match::yes : Match::no;
}

std::unique_ptr<Parser> make() {
    return std::make_unique<Mongodb>();
}

}  // namespace timesink::proto::mongodb
