#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "proto/parser.hpp"

/// Runs a parser's case in every way in which bytes can reach it. A case is a conversation: steps in order of time, each the
/// bytes of one system call of one end, and what must come out of it, one line per exchange (see Recorder::lines).
namespace timesink::proto::test {

struct Step {
    Direction direction;
    std::string bytes;
};
inline Step client(std::string bytes) {
    return {Direction::request, std::move(bytes)};
}
inline Step server(std::string bytes) {
    return {Direction::response, std::move(bytes)};
}
/// A literal with NULs in it.
template <std::size_t size>
std::string raw(const char (&text)[size]) {
    return std::string(text, size - 1);
}

enum class Closes : std::uint8_t { no, by_server };

struct Case {
    const char* name;
    std::vector<Step> steps;
    std::vector<std::string> expected;
    Closes closes = Closes::no;
    /// After any gap, a client that takes turns is understood again. Not so once it has been seen not to.
    bool recovers = true;
    std::size_t gaps_from = 0;  ///< in bytes of all steps: before, the conversation may not be cut
};

inline void PrintTo(const Case& test, std::ostream* out) {
    *out << test.name;
}

/// What a parser told, checked for form as it comes.
class Recorder final : public Sink {
public:
    struct Seen {
        Head request;
        End request_end;
        Head response;
        End response_end;
        std::uint64_t request_content = 0, response_content = 0;  ///< told by content(), missing bytes too
        bool requested = false, request_over = false, responded = false, response_over = false;
    };
    void head(const Head& head) override;
    void end(const End& end) override;
    void content(const Content& content) override;
    void upgraded(std::string_view protocol) override { upgrades.emplace_back(protocol); }
    void lost_sync(Direction, std::uint64_t) override { ++losses; }
    [[nodiscard]] bool redacts() const override { return kept != nullptr; }
    void keep(Direction direction, std::uint64_t position, std::string_view text, Kept) override {
        if (kept) {
            kept(direction, position, text);
        }
    }

    /// OPERATION target @host 'statement name' (housekeeping) (one way) {attributes} [request body] -> status rows=… body=… error
    /// {…} with what is not there left out; "…" behind a truncated target; " ..." where an end is missing; "cut" where it is
    /// incomplete. Then responses of nobody, and "=> protocol" for an upgrade.
    [[nodiscard]] std::vector<std::string> lines() const;

    std::vector<Seen> exchanges;  ///< in order of their requests
    std::vector<Seen> nobodys;    ///< responses to requests not seen
    std::vector<std::string> upgrades;
    std::vector<std::string> faults;  ///< of form: an end without a head, something twice, …
    int losses = 0;
    bool not_mine = false;
    /// Gets what the parser allows to be recorded; empty: nobody asks.
    std::function<void(Direction, std::uint64_t, std::string_view)> kept;

private:
    Seen* of(Correlation correlation);
    std::map<Correlation, std::size_t> index_;
};

using Make = std::unique_ptr<Parser> (*)();

/// An exchange (a request's step, a response's step) that must be understood again after a gap; asked for in several rounds, for
/// protocols whose messages have numbers.
using Probe = std::function<std::vector<Step>(int round)>;

/// All of it.
void run_case(const Case& test, Make make, const Probe& probe);
/// The same probe in all rounds.
void run_case(const Case& test, Make make, const std::vector<Step>& probe);

/// The first of these alone, for tests that look at what came out.
Recorder run_at_once(const std::vector<Step>& steps, Make make, Closes closes = Closes::no);

}  // namespace timesink::proto::test
