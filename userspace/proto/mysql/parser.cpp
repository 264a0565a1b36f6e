#include "proto/mysql/parser.hpp"

#include <algorithm>
#include <utility>

#include "proto/lines.hpp"
#include "proto/mysql/mysql.hpp"

namespace timesink::proto::mysql {
namespace {

constexpr std::size_t kKeptOfRequest = std::size_t{32} * 1024;  // more than a call's captured head
constexpr std::size_t kKeptOfAnswer = 512;                      // a greeting; everything else is told by its first bytes

std::uint64_t length_of(std::string_view header) {
    return Reader(header).little<3>();
}

}  // namespace

Parsed Mysql::parse(const Chunk& chunk, Sink& sink) {
    if (not_mine_) {
        return {0, Verdict::not_mine};
    }
    const bool asks = chunk.direction == Direction::request;
    if (!asks && !chunk.bytes.empty()) {
        turns_.hear();
    }
    (asks ? request_ : response_).take(chunk, *this, sink);
    return not_mine_ ? Parsed{0, Verdict::not_mine} : Parsed{chunk.bytes.size(), Verdict::ok};
}

std::optional<FrameSink::Shape> Mysql::shape(Direction direction, std::string_view header) {
    const std::uint64_t length = length_of(header);
    const auto sequence = static_cast<std::uint8_t>(header[3]);
    if (not_mine_) {
        return std::nullopt;
    }
    if (direction == Direction::request) {
        const bool goes_on = continues_ || sends_file_ || logging_in_ || (!understood_ && sequence == 1);
        const bool fits = goes_on || (sequence == 0 && length > 0);
        return fits ? std::optional(Shape{length, kKeptOfRequest}) : std::nullopt;
    }
    const Asked* const asked = turns_.answering();
    const bool in_step = sequence == (answer_open_ ? next_sequence_ : asked != nullptr ? asked->sequence : 0);
    const bool loose = logging_in_ || sends_file_ || resumed_ || !understood_;
    return (in_step || loose) && length > 0 ? std::optional(Shape{length, kKeptOfAnswer}) : std::nullopt;
}

/// Commands begin calls. Answers have no mark but the end of a result set as the last bytes of a call.
bool Mysql::resumes(Direction direction, std::string_view bytes, Place place) {
    const std::uint64_t length = length_of(bytes);
    if (direction == Direction::request) {
        if (!place.begins_call || bytes[3] != 0 || length == 0 || sends_file_) {
            return false;
        }
        const bool to_the_end = bytes.size() == kHeaderBytes + length && place.ends_call;
        return detect(Direction::request, std::as_bytes(std::span(bytes))) == Match::yes ||
               (to_the_end && !command_name(static_cast<Command>(bytes[4])).empty());
    }
    const bool rows = answer_open_ && (phase_ == Phase::rows || phase_ == Phase::columns || phase_ == Phase::column_end);
    resumed_ =
        rows && place.ends_call && (length == 5 || length == 7) && bytes.size() == kHeaderBytes + length && bytes[4] == kEof;
    return resumed_;
}

void Mysql::opened(const Frame& frame, Sink& sink) {
    frame.direction == Direction::request ? from_client(frame, sink) : from_server(frame, sink);
}

void Mysql::closed(Direction direction, std::uint64_t end, Sink& sink) {
    if (direction == Direction::request) {
        if (std::exchange(ends_request_, false)) {
            request_over(end, true, sink);
        }
    } else if (std::exchange(over_, false)) {
        answer_over(end, clear_, sink);
    }
}

void Mysql::request_over(std::uint64_t end, bool complete, Sink& sink) {
    if (asking_) {
        asking_->end = end;
        asking_->complete = asking_->complete && complete;
        sink.end(*asking_);
        asking_.reset();
    }
    load_data_ = false;
}

void Mysql::answer_over(std::uint64_t end, bool complete, Sink& sink) {
    if (!std::exchange(answer_open_, false)) {
        return;
    }
    answer_.end = end;
    answer_.correlation = answer_to_;
    answer_.complete = complete;
    if (hidden_) {
        answer_.rows.reset();
    }
    if (answer_to_ == turns_.answering_correlation() && answer_to_ != kNobody) {
        complete ? turns_.answered() : turns_.drop_oldest();
    }
    sends_file_ = resumed_ = over_ = false;
    sink.end(answer_);
}

/// They will not be answered, as far as can be told: an End without a Head.
void Mysql::give_up(const std::vector<Correlation>& lost, Sink& sink) const {
    for (const Correlation correlation : lost) {
        sink.end({.direction = Direction::response,
                  .correlation = correlation,
                  .end = response_.seen(),
                  .error = "lost",
                  .complete = false});
    }
}

void Mysql::lost(Direction direction, std::uint64_t position, Sink& sink) {
    if (not_mine_) {
        return;
    }
    if (!understood_) {
        not_mine_ = true;
        return;
    }
    if (direction == Direction::request) {
        request_over(position, false, sink);
        continues_ = ends_request_ = false;
        turns_.lose_requests();
    } else {
        over_ = resumed_ = false;
        const bool rows = phase_ == Phase::rows || phase_ == Phase::columns || phase_ == Phase::column_end;
        const bool alone = turns_.certain() && turns_.open() == 1 && answer_open_ && rows;
        hidden_ = true;
        if (!alone) {
            answer_over(position, false, sink);
            give_up(turns_.lose_responses(), sink);
        }
    }
    sink.lost_sync(direction, position);
}

void Mysql::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (not_mine_ || end <= begin) {
        return;
    }
    if (direction == Direction::response) {
        turns_.hear();
    }
    (direction == Direction::request ? request_ : response_).gap(begin, end, *this, sink);
}

void Mysql::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (not_mine_) {
        return;
    }
    if (direction == Direction::request) {
        request_over(position, false, sink);
    } else {
        answer_over(position, false, sink);
    }
}

std::unique_ptr<Parser> make() {
    return std::make_unique<Mysql>();
}

}  // namespace timesink::proto::mysql
