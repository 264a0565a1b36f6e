#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "proto/lines.hpp"
#include "proto/memcached/answers.hpp"
#include "proto/memcached/command.hpp"
#include "proto/memcached/memcached.hpp"
#include "proto/memcached/parsers.hpp"
#include "proto/memcached/redaction.hpp"

namespace timesink::proto::memcached {
namespace {

constexpr std::size_t kLongestLine = 2048;  // of an answer; a get of many keys is longer, and its line is cut

/// One direction: lines, some of them with data behind.
///
/// | state | bytes                                          | gap                                  |
/// |-------|------------------------------------------------|--------------------------------------|
/// | line  | complete and understood -> line or data; not -> lost | -> lost                        |
/// | data  | all -> line                                    | within: goes on; beyond -> lost      |
/// | lost  | requests: a command at the begin of a call; answers: the next turn, or END at the end of a call |
struct Stream {
    enum class State : std::uint8_t { line, data, lost };
    State state = State::line;
    LineReader line;
    std::uint64_t begin = 0;  ///< of the line
    std::uint64_t left = 0;   ///< of the data, with its line end
    std::uint64_t seen = 0;   ///< position after the last byte told of
    bool in_call = false;
    bool tentative = false;  ///< was lost; the line may be none
    std::string tail;        ///< lost: the last bytes

    /// Takes data; true: that was the last of it.
    bool skip(std::uint64_t bytes) {
        left -= bytes;
        if (left > 0) {
            return false;
        }
        state = State::line;
        line.clear();
        return true;
    }
};

struct AskedLine {
    Answer answer{};
};

class Text final : public Parser {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    using State = Stream::State;
    std::size_t step(Stream& stream, std::span<const std::byte> bytes, std::uint64_t position, bool asks, Sink& sink);
    bool request_line(std::uint64_t end, Sink& sink);
    bool answer_line(std::uint64_t end, Sink& sink);
    void data_done(std::uint64_t end, bool asks, Sink& sink);
    void bad(Stream& stream, std::uint64_t position, bool asks, Sink& sink);
    void lose(Stream& stream, std::uint64_t position, bool asks, Sink& sink);
    void request_over(std::uint64_t end, bool complete, Sink& sink);
    void end_behind_gap(const Chunk& chunk, Sink& sink);

    Stream request_;
    Stream response_;
    Answers<AskedLine> answers_;
    Correlation asking_{};  ///< whose data is coming
    bool asking_open_ = false;
    std::uint64_t data_ = 0;
    std::uint64_t quiet_ = 0;  ///< meta commands that are answered only perhaps, since the last turn
    bool understood_ = false;
    bool not_mine_ = false;
};

Parsed Text::parse(const Chunk& chunk, Sink& sink) {
    if (not_mine_) {
        return {0, Verdict::not_mine};
    }
    const bool asks = chunk.direction == Direction::request;
    Stream& stream = asks ? request_ : response_;
    if (!asks && !chunk.bytes.empty()) {
        answers_.hear();
    }
    if (stream.state == State::lost && asks && !stream.in_call) {
        stream.state = State::line;
        stream.tentative = true;
        stream.line.clear();
    }
    std::size_t taken = 0;
    while (taken < chunk.bytes.size() && !not_mine_) {
        taken += step(stream, chunk.bytes.subspan(taken), chunk.position + taken, asks, sink);
        stream.seen = chunk.position + taken;
    }
    stream.in_call = !chunk.ends_call;
    if (!asks && stream.state == State::lost && !not_mine_) {
        end_behind_gap(chunk, sink);
    }
    return not_mine_ ? Parsed{0, Verdict::not_mine} : Parsed{chunk.bytes.size(), Verdict::ok};
}

std::size_t Text::step(Stream& stream, std::span<const std::byte> bytes, std::uint64_t position, bool asks, Sink& sink) {
    if (stream.state == State::lost) {
        return bytes.size();
    }
    if (stream.state == State::data) {
        const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(stream.left, bytes.size()));
        if (stream.skip(skipped)) {
            data_done(position + skipped, asks, sink);
        }
        return skipped;
    }
    if (stream.line.length() == 0) {
        stream.begin = position;
    }
    const std::size_t taken = stream.line.take(bytes);
    if (!stream.line.complete()) {
        const bool may = asks ? may_become_command(stream.line.text()) : stream.line.length() < kLongestLine;
        if (!may) {
            bad(stream, position, asks, sink);
        }
        return taken;
    }
    if (!(asks ? request_line(position + taken, sink) : answer_line(position + taken, sink))) {
        bad(stream, position, asks, sink);
    }
    stream.line.clear();
    return taken;
}

bool Text::request_line(std::uint64_t end, Sink& sink) {
    const auto command = command_of(request_.line.text());
    if (!command) {
        return false;
    }
    keep_line(request_.line, Direction::request, end, request_parts(request_.line.text()), sink);
    understood_ = true;
    request_.tentative = false;
    request_over(request_.begin, false, sink);
    if (answers_.before_asking(response_.state == State::lost, response_.seen, sink)) {
        response_.state = State::line;
        response_.line.clear();
        quiet_ = 0;
    }
    if (command->quiet && command->answer == Answer::meta) {
        ++quiet_;
    }
    Head head{.begin = request_.begin, .operation = std::string(command->name)};
    head.target = head.operation;
    head.housekeeping = command->housekeeping;
    head.expects_response = !command->quiet;
    head.correlation = command->quiet ? answers_.number_unanswered() : answers_.ask({command->answer});
    if (!command->key.empty()) {
        head.attributes.emplace_back("memcached.key", command->key);
    }
    asking_ = head.correlation;
    asking_open_ = true;
    data_ = command->data;
    sink.head(head);
    if (command->has_data) {
        request_.state = State::data;
        request_.left = command->data + 2;
    } else {
        request_over(end, true, sink);
    }
    return true;
}

void Text::request_over(std::uint64_t end, bool complete, Sink& sink) {
    if (std::exchange(asking_open_, false)) {
        sink.end({.correlation = asking_, .end = end, .body_bytes = data_, .complete = complete});
    }
}

bool Text::answer_line(std::uint64_t end, Sink& sink) {
    const std::string_view line = response_.line.text();
    keep_line(response_.line, Direction::response, end, answer_parts(line), sink);
    AskedLine* const asked = answers_.asked();
    if (asked == nullptr) {
        if (!understood_ && !is_telling_answer(line)) {
            return false;
        }
        understood_ = true;
        lose(response_, response_.begin, false, sink);  // of a request before the attach
        return true;
    }
    if (quiet_ > 0 && !answers_.open()) {
        if (line == "MN") {
            quiet_ = 0;
        } else if (asked->answer == Answer::line) {
            // Of a quiet command ahead of the "mn"; its data, if any, is passed over.
            if (const auto data = data_behind(line)) {
                response_.state = State::data;
                response_.left = *data + 2;
            }
            return true;
        } else {
            lose(response_, response_.begin, false, sink);  // whose it is cannot be told
            return true;
        }
    }
    answers_.begin(response_.begin, sink);
    End& answer = answers_.end();
    answer.error = error_of(line);
    const auto data = asked->answer == Answer::values || asked->answer == Answer::meta ? data_behind(line) : std::nullopt;
    if (data) {
        answer.rows = answer.rows.value_or(0) + 1;
        answer.body_bytes += *data;
        response_.state = State::data;
        response_.left = *data + 2;
        return true;
    }
    const bool list = asked->answer == Answer::list && (line.starts_with("STAT ") || line.starts_with("ITEM "));
    if (asked->answer == Answer::values && line != "END" && answer.error.empty()) {
        return false;
    }
    if (asked->answer == Answer::values && answer.error.empty()) {
        answer.rows = answer.rows.value_or(0);
    }
    if (!list) {
        answers_.over(end, true, sink);
    }
    return true;
}

void Text::data_done(std::uint64_t end, bool asks, Sink& sink) {
    if (asks) {
        request_over(end, true, sink);
    } else if (const AskedLine* const asked = answers_.asked();
               asked != nullptr && answers_.open() && asked->answer == Answer::meta) {
        answers_.over(end, true, sink);
    }
}

void Text::bad(Stream& stream, std::uint64_t position, bool asks, Sink& sink) {
    if (!understood_) {
        not_mine_ = true;
    } else if (std::exchange(stream.tentative, false)) {
        stream.state = State::lost;
    } else {
        lose(stream, position, asks, sink);
    }
}

void Text::lose(Stream& stream, std::uint64_t position, bool asks, Sink& sink) {
    stream.state = State::lost;
    stream.tail.clear();
    if (asks) {
        request_over(position, false, sink);
        answers_.lose_requests();
    } else {
        const AskedLine* const asked = answers_.asked();
        const bool values = asked != nullptr && asked->answer == Answer::values && answers_.open();
        answers_.end().rows.reset();  // some may be hidden
        answers_.lose_answers(position, values, sink);
    }
    sink.lost_sync(asks ? Direction::request : Direction::response, position);
}

/// A get's values were not all seen, but the last bytes of the call are an END behind one of them.
void Text::end_behind_gap(const Chunk& chunk, Sink& sink) {
    constexpr std::string_view kEnd = "\r\nEND\r\n";
    const std::string_view text = as_text(chunk.bytes);
    response_.tail.append(text.substr(text.size() - std::min(text.size(), kEnd.size())));
    response_.tail.erase(0, response_.tail.size() - std::min(response_.tail.size(), kEnd.size()));
    if (chunk.ends_call && response_.tail == kEnd && answers_.alone()) {
        sink.keep(Direction::response, chunk.position + chunk.bytes.size() - kEnd.size(), kEnd, Kept::structure);
        response_.state = State::line;
        response_.line.clear();
        answers_.over(chunk.position + chunk.bytes.size(), true, sink);
    }
}

void Text::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (not_mine_ || end <= begin) {
        return;
    }
    const bool asks = direction == Direction::request;
    Stream& stream = asks ? request_ : response_;
    if (!asks) {
        answers_.hear();
    }
    std::uint64_t known = 0;
    if (stream.state == State::data) {
        known = std::min(end - begin, stream.left);
        if (stream.skip(known)) {
            data_done(begin + known, asks, sink);
        }
    }
    stream.seen = end;
    stream.tail.clear();
    if (known < end - begin && stream.state != State::lost) {
        lose(stream, begin + known, asks, sink);
        stream.tentative = false;
    }
}

void Text::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (direction == Direction::request) {
        request_over(position, false, sink);
    } else {
        answers_.over(position, false, sink);
    }
}

}  // namespace

std::unique_ptr<Parser> make_text() {
    return std::make_unique<Text>();
}

}  // namespace timesink::proto::memcached
