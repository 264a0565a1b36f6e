#include "unit/proto/harness.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <sstream>

namespace timesink::proto::test {
namespace {

/// Long conversations are split and cut at a sample of their positions.
constexpr std::size_t kMostPlaces = 700;

/// Feeds one parser, as net/ does; notes what was fed, and what of it the parser allows to be recorded: what is masked elsewhere
/// must be read alike.
class Feed {
public:
    explicit Feed(Make make) : make_(make), parser_(make()) {
        recorder.kept = [this](Direction direction, std::uint64_t position, std::string_view text) {
            std::string& image = images_[static_cast<int>(direction)];
            for (std::size_t i = 0; i < text.size(); ++i) {
                if (position + i < image.size()) {
                    image[static_cast<std::size_t>(position) + i] = text[i];
                }
            }
        };
    }
    Feed(const Feed&) = delete;
    Feed& operator=(const Feed&) = delete;

    /// The same, with all bytes masked that the parser did not allow.
    [[nodiscard]] Recorder masked() const {
        Feed feed(make_);
        feed.recorder.kept = nullptr;
        for (const Fed& fed : fed_) {
            const std::string_view image = images_[static_cast<int>(fed.direction)];
            switch (fed.what) {
                case What::bytes:
                    feed.bytes(fed.direction, image.substr(static_cast<std::size_t>(fed.position), fed.length), fed.ends_call);
                    break;
                case What::gap:
                    feed.gap(fed.direction, fed.length);
                    break;
                case What::missing:
                    feed.missing(fed.direction, fed.length);
                    break;
                case What::close:
                    feed.close();
                    break;
            }
        }
        return feed.take();
    }
    Recorder take() {
        recorder.kept = nullptr;
        return std::move(recorder);
    }

    void bytes(Direction direction, std::string_view bytes, bool ends_call) {
        note({What::bytes, direction, at(direction), bytes.size(), ends_call});
        tell_gap(direction);
        const std::uint64_t position = at(direction);
        at(direction) += bytes.size();
        if (recorder.not_mine) {
            return;
        }
        const auto data = std::as_bytes(std::span(bytes.data(), bytes.size()));
        const Parsed parsed = parser_->parse({direction, position, data, ends_call}, recorder);
        recorder.not_mine = parsed.verdict == Verdict::not_mine;
        if (parsed.consumed > bytes.size() || (parsed.verdict == Verdict::ok && parsed.consumed != bytes.size())) {
            recorder.faults.emplace_back("consumed what was not given, or less than it said");
        }
    }
    /// Told at once, as the middle of a call that was not captured is.
    void gap(Direction direction, std::uint64_t length) {
        note({What::gap, direction, at(direction), length, false});
        miss(direction, length);
        tell_gap(direction);
    }
    /// Told with the next bytes of that direction, as a lost event is.
    void missing(Direction direction, std::uint64_t length) {
        note({What::missing, direction, at(direction), length, false});
        miss(direction, length);
    }
    void close() {
        note({What::close, Direction::request, at(Direction::request), 0, false});
        for (const Direction direction : {Direction::response, Direction::request}) {
            tell_gap(direction);
            if (!recorder.not_mine) {
                parser_->finish(direction, at(direction), recorder);
            }
        }
    }
    Recorder recorder;

private:
    enum class What : std::uint8_t { bytes, gap, missing, close };
    struct Fed {
        What what;
        Direction direction;
        std::uint64_t position;
        std::size_t length;
        bool ends_call;
    };
    void note(const Fed& fed) {
        fed_.push_back(fed);
        images_[static_cast<int>(fed.direction)].append(fed.length, 'x');
    }
    void miss(Direction direction, std::uint64_t length) {
        gap_[static_cast<int>(direction)] += length;
        at(direction) += length;
    }
    std::uint64_t& at(Direction direction) { return at_[static_cast<int>(direction)]; }
    void tell_gap(Direction direction) {
        std::uint64_t& length = gap_[static_cast<int>(direction)];
        if (length > 0 && !recorder.not_mine) {
            parser_->gap(direction, at(direction) - length, at(direction), recorder);
        }
        length = 0;
    }
    Make make_;
    std::unique_ptr<Parser> parser_;
    std::vector<Fed> fed_;
    std::string images_[2];
    std::uint64_t at_[2] = {};
    std::uint64_t gap_[2] = {};
};

void feed_pieces(Feed& feed, const Step& step, std::size_t piece) {
    for (std::size_t at = 0; at < step.bytes.size(); at += piece) {
        const std::string_view part = std::string_view(step.bytes).substr(at, piece);
        feed.bytes(step.direction, part, at + part.size() == step.bytes.size());
    }
}

std::string attributes_text(const Attributes& attributes) {
    std::string text;
    for (const auto& [name, value] : attributes) {
        text += (text.empty() ? "" : ", ") + std::string(name) + "=" + value;
    }
    return text.empty() ? "" : " {" + text + "}";
}

std::string response_text(const Recorder::Seen& seen) {
    std::ostringstream line;
    if (seen.responded && seen.response.status != 0) {
        line << ' ' << seen.response.status;
    }
    line << attributes_text(seen.response.attributes);
    if (!seen.response_over) {
        line << " ...";
        return line.str();
    }
    const std::string& error = seen.response_end.error.empty() ? seen.response.error : seen.response_end.error;
    line << (error.empty() ? "" : " " + error);
    if (const std::uint64_t rows = seen.response_end.rows.value_or(0); rows > 0) {
        line << " rows=" << rows;
    }
    if (seen.response_end.body_bytes > 0) {
        line << " body=" << seen.response_end.body_bytes;
    }
    line << attributes_text(seen.response_end.attributes) << (seen.response_end.complete ? "" : " cut");
    return line.str();
}

std::string exchange_text(const Recorder::Seen& seen) {
    const Head& head = seen.request;
    std::ostringstream line;
    line << head.operation << (head.target.empty() ? "" : " " + head.target) << (head.target_truncated ? "…" : "");
    line << (head.host.empty() ? "" : " @" + head.host) << (head.statement_name.empty() ? "" : " '" + head.statement_name + "'");
    line << (head.housekeeping ? " (housekeeping)" : "") << (head.expects_response ? "" : " (one way)");
    line << attributes_text(head.attributes);
    if (seen.request_end.body_bytes > 0) {
        line << " [" << seen.request_end.body_bytes << "]";
    }
    line << (!seen.request_over ? " ..." : seen.request_end.complete ? "" : " cut");
    if (seen.responded || seen.response_over) {
        line << " ->" << response_text(seen);
    }
    return line.str();
}

/// What a run with a gap may say, given what a run without says: nothing wrong, and of what is called complete everything right
/// (a status that HTTP/2's tables do not tell any more is 0, and rows that were not all seen are not told).
std::string wrong(const Recorder& run, const Recorder& truth) {
    if (!run.faults.empty()) {
        return run.faults.front();
    }
    for (const Recorder::Seen& seen : run.exchanges) {
        const auto real = std::find_if(truth.exchanges.begin(), truth.exchanges.end(), [&](const Recorder::Seen& candidate) {
            return candidate.request.begin == seen.request.begin;
        });
        if (real == truth.exchanges.end()) {
            if (seen.responded && seen.response_end.complete) {
                return "an exchange that never was: " + exchange_text(seen);
            }
            continue;
        }
        if (seen.responded && seen.response.begin != real->response.begin && seen.response_over && seen.response_end.complete) {
            return "another's response: " + exchange_text(seen);
        }
        if (seen.request_over && seen.request_end.complete && seen.request_end.end != real->request_end.end) {
            return "request ends elsewhere: " + exchange_text(seen);
        }
        if (seen.response_over && seen.response_end.complete &&
            (seen.response_end.end != real->response_end.end ||
             (seen.response.status != real->response.status && seen.response.status != 0) ||
             (seen.response_end.rows && seen.response_end.rows != real->response_end.rows) ||
             (seen.response_end.columns != real->response_end.columns && seen.response_end.columns != 0) ||
             seen.response_end.error != real->response_end.error || !real->response_end.complete)) {
            return "said to be complete, but differs: " + exchange_text(seen) + " at " + std::to_string(seen.response_end.end) +
                   ", not " + std::to_string(real->response_end.end);
        }
    }
    return {};
}

std::string place_of(const Recorder::Seen& seen) {
    return " " + std::to_string(seen.request.begin) + "-" + std::to_string(seen.request_end.end) + " " +
           std::to_string(seen.response.begin) + "-" + std::to_string(seen.response_end.end);
}

/// What was found and where, to the byte; behind a gap, of that what is said to be complete: the bytes of what is given up may
/// well tell sooner that they are of no use.
std::vector<std::string> found(const Recorder& run, bool gap) {
    std::vector<std::string> lines;
    for (const Recorder::Seen& seen : run.exchanges) {
        if (!gap || (seen.request_over && seen.request_end.complete && seen.response_over && seen.response_end.complete)) {
            lines.push_back(exchange_text(seen) + place_of(seen));
        }
    }
    for (std::size_t line = run.exchanges.size(); !gap && line < run.lines().size(); ++line) {
        if (run.lines()[line] != "not mine") {  // of what is not, nothing was allowed: it is not to be known by
            lines.push_back(run.lines()[line]);
        }
    }
    return lines;
}

/// `gap`: something is missing. What is masked then may be nobody's to begin with, as where the first line has a hole: net/ asks
/// the detectors again.
void expect_same_when_masked(const Feed& feed, bool gap, const std::string& how) {
    const Recorder masked = feed.masked();
    if (!(gap && masked.not_mine)) {
        EXPECT_EQ(found(masked, gap), found(feed.recorder, gap)) << how << ", masked";
    }
}

class CaseRun {
public:
    CaseRun(const Case& test, Make make, const Probe& probe) : test_(test), make_(make), probe_(probe) {
        for (const Step& step : test.steps) {
            length_ += step.bytes.size();
        }
        const Recorder whole = run_at_once(test.steps, make);
        mine_ = !whole.not_mine || !whole.upgrades.empty();
        probed_ = test.recovers && test.closes == Closes::no && !whole.not_mine;
    }

    void run() {
        expect_same("at once", [](Feed& feed, const Step& step, std::size_t) { feed_pieces(feed, step, step.bytes.size()); });
        expect_same("byte by byte", [](Feed& feed, const Step& step, std::size_t) { feed_pieces(feed, step, 1); });
        expect_same("in threes", [](Feed& feed, const Step& step, std::size_t) { feed_pieces(feed, step, 3); });
        const std::size_t stride = std::max<std::size_t>(1, length_ / kMostPlaces);
        for (std::size_t place = 1; place < length_ && !::testing::Test::HasFailure(); place += stride) {
            expect_same("split at " + std::to_string(place), [place](Feed& feed, const Step& step, std::size_t begin) {
                const std::size_t cut = place > begin ? std::min(place - begin, step.bytes.size()) : 0;
                const std::string_view bytes = step.bytes;
                if (cut > 0) {
                    feed.bytes(step.direction, bytes.substr(0, cut), cut == bytes.size());
                }
                if (cut < bytes.size()) {
                    feed.bytes(step.direction, bytes.substr(cut), true);
                }
            });
        }
        truth_ = with_probes([](Feed& feed, const Step& step, std::size_t) { feed_pieces(feed, step, step.bytes.size()); },
                             "with probes");
        for (std::size_t place = test_.gaps_from; mine_ && place < length_ && !::testing::Test::HasFailure(); place += stride) {
            for (const std::size_t gap : {std::size_t{1}, std::size_t{7}, std::size_t{40}, length_}) {
                with_gap(place, gap);
            }
        }
        std::size_t begin = 0;
        for (std::size_t index = 0; mine_ && index < test_.steps.size() && !::testing::Test::HasFailure(); ++index) {
            if (begin >= test_.gaps_from) {
                with_lost_call(index);
            }
            begin += test_.steps[index].bytes.size();
        }
    }

private:
    using FeedStep = std::function<void(Feed&, const Step&, std::size_t begin)>;

    void expect_same(const std::string& how, const FeedStep& feed_step) {
        Feed feed(make_);
        std::size_t begin = 0;
        for (const Step& step : test_.steps) {
            feed_step(feed, step, begin);
            begin += step.bytes.size();
        }
        if (test_.closes == Closes::by_server) {
            feed.close();
        }
        EXPECT_THAT(feed.recorder.lines(), ::testing::ElementsAreArray(test_.expected)) << test_.name << ", " << how;
        EXPECT_THAT(feed.recorder.faults, ::testing::IsEmpty()) << test_.name << ", " << how;
        expect_same_when_masked(feed, false, test_.name + (", " + how));
    }

    Recorder with_probes(const FeedStep& feed_step, const std::string& how) {
        Feed feed(make_);
        std::size_t begin = 0;
        for (const Step& step : test_.steps) {
            feed_step(feed, step, begin);
            begin += step.bytes.size();
        }
        // Twice: the first may serve to find out that both ends are level again.
        for (int round = 0; round < 3 && probed_; ++round) {
            for (const Step& step : probe_(round)) {
                feed_pieces(feed, step, step.bytes.size());
            }
        }
        if (test_.closes == Closes::by_server) {
            feed.close();
        }
        expect_same_when_masked(feed, true, test_.name + (", " + how));
        return feed.take();
    }

    void check(const Recorder& run, const std::string& how) {
        EXPECT_EQ(wrong(run, truth_), "") << test_.name << ", " << how;
        if (!probed_ || run.not_mine) {  // net/ asks the detectors again
            return;
        }
        const bool understood = !run.exchanges.empty() && run.exchanges.back().response_over &&
                                run.exchanges.back().response_end.complete &&
                                run.exchanges.back().request.begin == truth_.exchanges.back().request.begin;
        EXPECT_TRUE(understood) << test_.name << ", not understood again, " << how << "\n"
                                << ::testing::PrintToString(run.lines());
    }

    /// Part of one call was not captured.
    void with_gap(std::size_t place, std::size_t gap) {
        const std::string how = "gap of " + std::to_string(gap) + " at " + std::to_string(place);
        const auto cut_step = [=](Feed& feed, const Step& step, std::size_t begin) {
            const std::string_view bytes = step.bytes;
            if (place < begin || place >= begin + bytes.size()) {
                feed_pieces(feed, step, bytes.size());
                return;
            }
            const std::size_t from = place - begin;
            const std::size_t missing = std::min(gap, bytes.size() - from);
            if (from > 0) {
                feed.bytes(step.direction, bytes.substr(0, from), false);
            }
            feed.gap(step.direction, missing);
            if (from + missing < bytes.size()) {
                feed.bytes(step.direction, bytes.substr(from + missing), true);
            }
        };
        check(with_probes(cut_step, how), how);
    }

    void with_lost_call(std::size_t index) {
        const std::string how = "call " + std::to_string(index) + " lost";
        std::size_t at = 0;
        const auto lose_step = [&](Feed& feed, const Step& step, std::size_t) {
            if (at++ == index) {
                feed.missing(step.direction, step.bytes.size());
            } else {
                feed_pieces(feed, step, step.bytes.size());
            }
        };
        check(with_probes(lose_step, how), how);
    }

    const Case& test_;
    Make make_;
    const Probe& probe_;
    std::size_t length_ = 0;
    bool probed_ = false;
    bool mine_ = true;
    Recorder truth_;
};

}  // namespace

Recorder::Seen* Recorder::of(Correlation correlation) {
    const auto found = index_.find(correlation);
    return found == index_.end() ? nullptr : &exchanges[found->second];
}

void Recorder::head(const Head& head) {
    if (head.direction == Direction::request) {
        if (of(head.correlation) != nullptr || head.correlation == Correlation{0}) {
            faults.emplace_back("two requests with one correlation");
            return;
        }
        index_[head.correlation] = exchanges.size();
        exchanges.emplace_back();
        exchanges.back().request = head;
        exchanges.back().requested = true;
        return;
    }
    if (head.correlation == Correlation{0}) {
        nobodys.emplace_back();
        nobodys.back().response = head;
        nobodys.back().responded = true;
        return;
    }
    Seen* seen = of(head.correlation);
    if (seen == nullptr || seen->responded || seen->response_over) {
        faults.emplace_back("a response to nothing, or a second one");
        return;
    }
    seen->responded = true;
    seen->response = head;
}

void Recorder::end(const End& end) {
    Seen* seen = of(end.correlation);
    if (end.correlation == Correlation{0} && end.direction == Direction::response && !nobodys.empty()) {
        seen = &nobodys.back();
    }
    if (seen == nullptr) {
        faults.emplace_back("an end without a head");
        return;
    }
    const bool asks = end.direction == Direction::request;
    bool& over = asks ? seen->request_over : seen->response_over;
    const bool headless = !asks && !seen->responded;
    if (over || (headless && (end.error != "lost" || end.complete))) {
        faults.emplace_back("an end twice, or without a head: " + exchange_text(*seen));
    }
    if (!headless && end.complete && end.end < (asks ? seen->request.begin : seen->response.begin)) {
        faults.emplace_back("an end before the begin");
    }
    over = true;
    const std::uint64_t content = asks ? seen->request_content : seen->response_content;
    if (content > 0 && losses == 0 && content != end.body_bytes) {
        faults.emplace_back("the content told is not the body: " + exchange_text(*seen));
    }
    (asks ? seen->request_end : seen->response_end) = end;
}

void Recorder::content(const Content& content) {
    Seen* seen = of(content.correlation);
    if (content.correlation == Correlation{0} && content.direction == Direction::response && !nobodys.empty()) {
        seen = &nobodys.back();
    }
    const bool asks = content.direction == Direction::request;
    if (seen == nullptr || (asks ? !seen->requested || seen->request_over : !seen->responded || seen->response_over)) {
        faults.emplace_back("content outside of its message");
        return;
    }
    (asks ? seen->request_content : seen->response_content) += content.bytes.size() + content.missing;
}

std::vector<std::string> Recorder::lines() const {
    std::vector<std::string> out;
    for (const Seen& seen : exchanges) {
        out.push_back(exchange_text(seen));
    }
    for (const Seen& seen : nobodys) {
        out.push_back("nobody ->" + response_text(seen));
    }
    for (const std::string& protocol : upgrades) {
        out.push_back("=> " + protocol);
    }
    if (not_mine && upgrades.empty()) {
        out.emplace_back("not mine");
    }
    return out;
}

void run_case(const Case& test, Make make, const Probe& probe) {
    CaseRun(test, make, probe).run();
}

void run_case(const Case& test, Make make, const std::vector<Step>& probe) {
    run_case(test, make, [&probe](int) { return probe; });
}

Recorder run_at_once(const std::vector<Step>& steps, Make make, Closes closes) {
    Feed feed(make);
    for (const Step& step : steps) {
        feed_pieces(feed, step, step.bytes.size());
    }
    if (closes == Closes::by_server) {
        feed.close();
    }
    return feed.take();
}

}  // namespace timesink::proto::test
