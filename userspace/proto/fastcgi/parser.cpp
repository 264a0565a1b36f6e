#include <limits>
#include <string_view>
#include <utility>

#include "proto/fastcgi/fastcgi.hpp"
#include "proto/fastcgi/record.hpp"
#include "proto/frames.hpp"
#include "proto/lines.hpp"
#include "proto/numbered.hpp"
#include "proto/reader.hpp"

namespace timesink::proto::fastcgi {
namespace {

constexpr std::size_t kKeptParams = std::size_t{16} * 1024;  // more than a call's captured head
constexpr std::size_t kKeptAnswer = 4096;                    // a response's header block
constexpr std::size_t kFixed = 8;                            // content of BEGIN and END

struct Nothing {};

/// Records of both directions. Ids tell which response is whose; no server in use works on several requests of a connection at
/// once (FCGI_MPXS_CONNS), so one message of each direction is followed at a time.
///
/// | message  | begins with               | its Head is told                                    | ends with      |
/// |----------|---------------------------|-----------------------------------------------------|----------------|
/// | request  | BEGIN                     | behind PARAMS: at their empty record, or at STDIN   | an empty STDIN |
/// | response | the first of STDOUT, STDERR | at the first STDOUT that is not empty, or at END    | END            |
class FastCgi final : public Parser, private FrameSink {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    /// A message in progress.
    struct Open {
        bool open = false;
        bool told = false;  ///< its Head
        bool over = false;  ///< with the record in progress
        std::uint16_t id = 0;
        std::uint64_t begin = 0;
        End end;
    };
    std::optional<Shape> shape(Direction direction, std::string_view header) override;
    bool resumes(Direction direction, std::string_view bytes, Place place) override;
    void opened(const Frame& frame, Sink& sink) override;
    void closed(Direction direction, std::uint64_t end, Sink& sink) override;
    void lost(Direction direction, std::uint64_t position, Sink& sink) override;
    void begin(const Frame& frame, std::uint16_t id, Sink& sink);
    void from_client(const Frame& frame, const Header& header, Sink& sink);
    void from_server(const Frame& frame, const Header& header, Sink& sink);
    void announce(Sink& sink);
    void answer(int status, Attributes&& attributes, Sink& sink);
    void conclude(Open& message, std::uint64_t end, bool complete, Sink& sink);
    void give_up(Correlation correlation, Sink& sink) const;

    Frames request_{Direction::request, kHeaderBytes};
    Frames response_{Direction::response, kHeaderBytes};
    Open asking_;
    Open answering_;
    Asked asked_;
    Numbered<Nothing> numbered_;
    bool understood_ = false;
    bool not_mine_ = false;
};

Parsed FastCgi::parse(const Chunk& chunk, Sink& sink) {
    if (!not_mine_) {
        (chunk.direction == Direction::request ? request_ : response_).take(chunk, *this, sink);
    }
    return not_mine_ ? Parsed{0, Verdict::not_mine} : Parsed{chunk.bytes.size(), Verdict::ok};
}

std::optional<FrameSink::Shape> FastCgi::shape(Direction direction, std::string_view bytes) {
    const Header header = header_of(bytes, direction == Direction::request);
    if (!header.valid) {
        return std::nullopt;
    }
    std::size_t kept = 0;
    if (header.type == Type::params) {
        kept = std::min<std::size_t>(header.content, kKeptParams);
    } else if (header.type == Type::begin || header.type == Type::end) {
        kept = kFixed;
    } else if (header.type == Type::out && !answering_.told) {
        kept = std::min<std::size_t>(header.content, kKeptAnswer);
    }
    return Shape{std::uint64_t{header.content} + header.padding, kept};
}

/// Requests begin with their call. So do responses, whose id must be known.
bool FastCgi::resumes(Direction direction, std::string_view bytes, Place place) {
    const bool request = direction == Direction::request;
    const Header header = header_of(bytes, request);
    const bool may = header.valid && place.begins_call;
    return may && (request ? header.type == Type::begin : numbered_.find(header.request) != nullptr);
}

void FastCgi::opened(const Frame& frame, Sink& sink) {
    const bool request = frame.direction == Direction::request;
    const Header header = header_of(frame.header, request);
    understood_ = understood_ || header.type == Type::begin || header.type == Type::end;
    request ? from_client(frame, header, sink) : from_server(frame, header, sink);
}

void FastCgi::begin(const Frame& frame, std::uint16_t id, Sink& sink) {
    conclude(asking_, frame.begin, false, sink);
    if (answering_.open && answering_.id == id) {  // its end was lost
        conclude(answering_, response_.seen(), false, sink);
        numbered_.remove(id);
    }
    asked_ = {};
    asking_ = {.open = true, .id = id, .begin = frame.begin};
    asking_.end.direction = Direction::request;
    asking_.end.correlation = numbered_.ask(id, {}, [&](Correlation lost) { give_up(lost, sink); });
    keep(frame, frame.payload, Kept::structure, sink);
}

void FastCgi::from_client(const Frame& frame, const Header& header, Sink& sink) {
    if (header.type == Type::begin) {
        begin(frame, header.request, sink);
        return;
    }
    if (!asking_.open || asking_.id != header.request) {
        return;
    }
    if (header.type == Type::params && header.content > 0 && !asking_.told) {
        const std::string_view content = frame.payload.substr(0, header.content);
        read_params(content, asked_, [&](std::string_view part, Kept kind) { keep(frame, part, kind, sink); });
        // What says whose request it is may have been in what is missing.
        asking_.end.complete = asking_.end.complete && content.size() == header.content;
        return;
    }
    if (header.type == Type::params || header.type == Type::in) {
        announce(sink);
        asking_.end.body_bytes += header.type == Type::in ? header.content : 0;
        asking_.over = header.type == Type::in && header.content == 0;
    }
}

void FastCgi::from_server(const Frame& frame, const Header& header, Sink& sink) {
    if (!answering_.open || answering_.id != header.request) {
        const auto* const open = numbered_.find(header.request);
        if (open == nullptr) {
            return;  // asked before the attach, or not seen
        }
        if (asking_.open && asking_.id == header.request) {
            announce(sink);  // answered before it was read to its end
        }
        answering_ = {.open = true, .id = header.request, .begin = frame.begin};
        answering_.end.direction = Direction::response;
        answering_.end.correlation = open->correlation;
    }
    if (header.type == Type::out && header.content > 0) {
        if (!answering_.told) {
            Answered answered = read_answer(frame.payload.substr(0, header.content),
                                            [&](std::string_view part, Kept kind) { keep(frame, part, kind, sink); });
            answering_.end.complete = answered.status != 0;
            answer(answered.status, std::move(answered.attributes), sink);
        }
        answering_.end.body_bytes += header.content;
    } else if (header.type == Type::end) {
        Reader reader(frame.payload);
        (void)reader.big<4>();  // the application's own status
        const std::uint8_t refused = reader.byte();
        keep(frame, frame.payload, Kept::structure, sink);
        answer(0, {}, sink);
        answering_.end.error = refused == 0 ? "" : refused == 2 ? "overloaded" : "refused";  // section 5.5
        answering_.end.complete = answering_.end.complete && reader.ok();
        answering_.over = true;
    }
}

void FastCgi::announce(Sink& sink) {
    if (std::exchange(asking_.told, true)) {
        return;
    }
    asked_.fields.finish();
    Head head{.correlation = asking_.end.correlation, .begin = asking_.begin, .operation = std::move(asked_.method)};
    head.target = asked_.target.empty() ? std::move(asked_.script) : std::move(asked_.target);
    head.host = asked_.fields.host();
    asked_.fields.take_attributes(head.attributes);
    sink.head(head);
}

void FastCgi::answer(int status, Attributes&& attributes, Sink& sink) {
    if (std::exchange(answering_.told, true)) {
        return;
    }
    Head head{.direction = Direction::response, .correlation = answering_.end.correlation, .begin = answering_.begin};
    head.status = status;
    head.attributes = std::move(attributes);
    sink.head(head);
}

void FastCgi::conclude(Open& message, std::uint64_t end, bool complete, Sink& sink) {
    if (!std::exchange(message.open, false)) {
        return;
    }
    if (message.end.direction == Direction::request) {
        announce(sink);
    } else {
        answer(0, {}, sink);
    }
    message.end.end = end;
    message.end.complete = message.end.complete && complete;
    sink.end(message.end);
}

void FastCgi::closed(Direction direction, std::uint64_t end, Sink& sink) {
    Open& message = direction == Direction::request ? asking_ : answering_;
    if (!message.over) {
        return;
    }
    if (direction == Direction::response) {
        numbered_.remove(message.id);
    }
    conclude(message, end, true, sink);
    message.over = message.told = false;
}

void FastCgi::lost(Direction direction, std::uint64_t position, Sink& sink) {
    if (!understood_) {
        not_mine_ = true;
        return;
    }
    finish(direction, position, sink);
    // The id is the same for every request of a connection that is kept: whose the next answer is, only the next BEGIN tells. An
    // answer that is being read goes on.
    const std::uint16_t id = answering_.id;
    const auto* const answered = answering_.open ? numbered_.find(id) : nullptr;
    const Correlation stays = answered != nullptr ? answered->correlation : Correlation{};
    numbered_.give_up_before(Correlation{std::numeric_limits<std::uint64_t>::max()}, [&](Correlation lost) {
        if (lost != stays) {
            give_up(lost, sink);
        }
    });
    sink.lost_sync(direction, position);
}

/// It will not be answered, as far as can be told: an End without a Head.
void FastCgi::give_up(Correlation correlation, Sink& sink) const {
    sink.end({.direction = Direction::response,
              .correlation = correlation,
              .end = response_.seen(),
              .error = "lost",
              .complete = false});
}

void FastCgi::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (!not_mine_ && end > begin) {
        (direction == Direction::request ? request_ : response_).gap(begin, end, *this, sink);
    }
}

void FastCgi::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (not_mine_) {
        return;
    }
    Open& message = direction == Direction::request ? asking_ : answering_;
    if (message.open && direction == Direction::response) {
        numbered_.remove(message.id);
    }
    conclude(message, position, false, sink);
    message.over = message.told = false;
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    const std::string_view text = as_text(bytes);
    const bool request = direction == Direction::request;
    // A request begins with BEGIN, whose content is a role, a flag and zeros. What a server says is told by where its END is.
    constexpr std::string_view kBegin("\x01\x01", 2);
    if (request && text.size() < kHeaderBytes + kFixed) {
        const bool may = text.size() < kHeaderBytes ? text.substr(0, 2) == kBegin.substr(0, text.size())
                                                    : header_of(text, true).valid && text[1] == kBegin[1];
        return may ? Match::maybe : Match::no;
    }
    if (request) {
        const Header header = header_of(text, true);
        const std::string_view content = text.substr(kHeaderBytes, kFixed);
        const bool zeros = content.substr(3).find_first_not_of('\0') == std::string_view::npos;
        return header.valid && header.type == Type::begin && content[0] == 0 && content[1] >= 1 && content[1] <= 3 &&
                       (content[2] == 0 || content[2] == 1) && zeros
                   ? Match::yes
                   : Match::no;
    }
    std::string_view rest = text;
    while (rest.size() >= kHeaderBytes) {
        const Header header = header_of(rest, false);
        const std::size_t size = kHeaderBytes + header.content + header.padding;
        if (!header.valid || (size > rest.size() && header.type == Type::end && rest.size() < kHeaderBytes + kFixed)) {
            return header.valid ? Match::maybe : Match::no;
        }
        if (header.type == Type::end) {
            return Match::yes;
        }
        if (size > rest.size()) {
            return Match::maybe;
        }
        rest.remove_prefix(size);
    }
    return rest.empty() || rest[0] == '\1' ? Match::maybe : Match::no;
}

std::unique_ptr<Parser> make() {
    return std::make_unique<FastCgi>();
}

}  // namespace timesink::proto::fastcgi
