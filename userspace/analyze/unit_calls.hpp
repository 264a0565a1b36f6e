#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/genai_line.hpp"
#include "attribute/account.hpp"
#include "base/time.hpp"

namespace timesink::analyze {

/// From the first byte sent to the last byte read; where the end was not seen, to the last moment that was. Never negative.
Duration call_length(const request::Exchange& exchange);

/// "address:port", "[v6]:port", or the path of a unix socket.
std::string peer_name(const event::Endpoint& endpoint);

/// What makes two calls the same line of a report, without owning the text.
struct CallView {
    attribute::Bucket bucket = attribute::Bucket::provider;
    bool housekeeping = false;
    std::string_view protocol;
    std::string_view operation;
    std::string_view host;
    std::string_view statement;
    std::string_view line{};
    bool internal = false;
    friend auto operator<=>(const CallView&, const CallView&) = default;  // NOLINT(modernize-use-nullptr)
};

struct CallKey {
    attribute::Bucket bucket;
    bool housekeeping;
    std::string protocol;
    std::string operation;
    std::string host;
    std::string statement;
    std::string line;
    bool internal;

    explicit CallKey(const CallView& view);
    [[nodiscard]] CallView view() const;
};

struct CallLess {
    using is_transparent = void;
    static CallView view(const CallView& call) { return call; }
    static CallView view(const CallKey& call) { return call.view(); }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
        return view(a) < view(b);
    }
};

/// One call of a unit, as the tables add it up.
struct CallFacts {
    const attribute::OwnedExchange* owned = nullptr;
    CallView view;
    std::string peer;  ///< backs view.host where the exchange has no host name
    Duration length{};
    std::array<Duration, attribute::kCauseCount> by_cause{};  ///< of its pieces on the path
    Duration setup{};  ///< of its time on the path: connecting; all of it for the start-up traffic of a new connection
    Attempt attempt;   ///< of language models
    Duration before_first_token{};  ///< ditto, streamed: of its time on the path
    bool repeat = false;            ///< an equal call of this unit had been answered before this one was sent
};

/// The calls of one unit and what they have to do with each other. Owned by the Aggregate and reused from unit to unit; valid
/// while the Account is.
class UnitCalls {
public:
    void read(const attribute::Account& account);

    [[nodiscard]] const std::vector<CallFacts>& calls() const { return calls_; }
    /// Provider and storage calls of different shapes, each sent right after the answer to the one before.
    [[nodiscard]] std::uint64_t in_sequence() const { return in_sequence_; }
    [[nodiscard]] Duration sequence_gain() const { return sequence_gain_; }

private:
    void charge_pieces(const attribute::Account& account);
    void find_repeats();
    void find_sequences();

    std::vector<CallFacts> calls_;
    std::vector<Attempt> attempts_;     ///< scratch
    std::vector<std::uint32_t> order_;  ///< scratch
    std::uint64_t in_sequence_ = 0;
    Duration sequence_gain_{};
};

}  // namespace timesink::analyze
