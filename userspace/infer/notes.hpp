#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/recycled.hpp"
#include "infer/model.hpp"
#include "infer/segment.hpp"

namespace timesink::infer {

/// A stretch of a unit's work that is known to hang together: from its request, or from a hidden wake that one of several
/// sleepers had, to its response or to the next such wake. Even: a request's unit id, twice; odd: of the exchange that a wake
/// sent first.
enum class Chain : std::uint64_t {};
constexpr Chain chain_of(UnitId unit) {
    return static_cast<Chain>(number(unit) * 2);
}
constexpr Chain chain_of(ExchangeId first) {
    return static_cast<Chain>(number(first) * 2 + 1);
}

enum class Told : std::uint8_t { nothing, yes, no, either };

/// What was decided and may still be undone.
struct Note {
    enum class Kind : std::uint8_t { statement, response, sleep, wake };
    Kind kind = Kind::statement;
    Reason reason = Reason::unexplained;
    bool agrees = true;          ///< response: the chain's unit is the one that responded
    Told hold = Told::nothing;   ///< statement: whoever had the connection before kept it
    Told defer = Told::nothing;  ///< statement: it came at the end of the turn only
    std::uint64_t serial = 0;    ///< of what was seen; never falls
    Chain chain{};
    double probability = 1;  ///< within this hypothesis
    Chain runner_up{};
    double runner_up_probability = 0;
    ExchangeId exchange{};
    ExchangeId cause{};
    UnitId unit{};
    std::uint32_t path = 0;
    SocketId connection{};       ///< statement: nameless
    Shape name{};                ///< ditto: its name on its connection
    Shape meant{};               ///< ditto: for what it is taken
    History history;             ///< statement: of whom `hold` tells; sleep: ahead of it
    History sender;              ///< statement: its sender's ahead of it, where `defer` tells
    std::uint64_t sleepers = 0;  ///< sleep, wake: which sleepers are equal
    const Delays* delays = nullptr;
    Instant from{};  ///< sleep: since; wake: not before
    Instant to{};    ///< wake: not after

    /// Of the same thing as another hypothesis's.
    [[nodiscard]] bool is_about(const Note& other) const {
        return serial == other.serial && kind == other.kind && exchange == other.exchange && unit == other.unit;
    }
};

/// A hypothesis's notes, by serial. Copies share what they have in common: hypotheses fork at every other thing that is seen, and
/// tell the same of nearly all that was before. What is shared is never changed, but cut off at its far end, for all at once.
class Notes {
public:
    Notes() = default;
    Notes(const Notes& other) : latest_(held(other.latest_)), size_(other.size_) {}
    Notes(Notes&& other) noexcept : latest_(std::exchange(other.latest_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Notes& operator=(const Notes& other);
    Notes& operator=(Notes&& other) noexcept;
    ~Notes() { release(latest_); }

    [[nodiscard]] bool empty() const { return latest_ == nullptr; }
    [[nodiscard]] std::size_t size() const { return size_; }
    void push_back(const Note& note);
    void clear();
    /// Takes in what another hypothesis says: each claim counts by its share, `share` of it by ours.
    void unite(const Notes& other, double share);

    /// Precondition: so many are behind it. Of the last but `behind`.
    [[nodiscard]] std::uint64_t serial(std::size_t behind) const;
    /// Those up to this serial.
    [[nodiscard]] Notes until(std::uint64_t serial) const;
    /// Forgets those; so does whoever shares what is left.
    void forget(std::uint64_t serial);
    /// Everything that was said is the same.
    [[nodiscard]] bool is(const Notes& other) const { return latest_ == other.latest_; }
    /// In order; valid until the next change.
    void list(std::vector<const Note*>& notes) const;

private:
    struct Node : Recycled<Node> {
        Node(const Note& of, Node* behind) : note(of), before(behind) {}
        Note note;
        Node* before = nullptr;
        std::uint32_t references = 1;
    };
    static Node* held(Node* node) {
        if (node != nullptr) {
            ++node->references;
        }
        return node;
    }
    static void release(Node* node);

    Node* latest_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace timesink::infer
