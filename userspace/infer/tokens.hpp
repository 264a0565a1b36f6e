#pragma once

#include <array>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <cstdint>
#include <vector>

#include "base/recycled.hpp"
#include "infer/model.hpp"
#include "infer/notes.hpp"
#include "infer/segment.hpp"

namespace timesink::infer {

using Slot = std::uint16_t;
constexpr Slot kNobody = 0xffff;

/// A unit in flight, as a hypothesis sees it.
struct Token {
    enum class State : std::uint8_t { free, running, waiting, deferred, sleeping };
    State state = State::free;
    bool virtually = false;      ///< woke as one of several equal sleepers: `unit` is a name it may have to exchange
    bool blurred = false;        ///< an equal sleeper has woken: ditto
    bool doubted = false;        ///< a statement that nobody explains may have been its
    bool carried_on = false;     ///< executed in this segment what was prepared: that is no step
    Told keeps = Told::nothing;  ///< of an unknown route: whether it kept a connection for which others waited
    Chain chain{};
    UnitId unit{};
    History history;
    History before_sleep;
    Step issued = Step::respond;  ///< what it has written in this segment; respond: nothing
    std::uint16_t outstanding = 0;
    std::uint32_t path = 0;  ///< the steps it has taken
    Instant since{};         ///< sleeping: went to sleep; deferred: when it was put off

    /// Its begin was not seen: it stands for any of the units of which that is so.
    [[nodiscard]] bool is_unseen() const { return history.route == kUnknownRoute; }
    /// Of what decides about the future: equal ones do the same. Never zero, unless it is free.
    [[nodiscard]] std::uint64_t identity() const;
};

/// The units of a hypothesis, by slot. Copies share pages of them until one is changed: a fork changes one or two of them, and
/// what it does to the hypothesis's state is known without looking at the others.
class Tokens {
public:
    [[nodiscard]] std::size_t size() const { return size_; }
    /// Valid until the next change of any.
    [[nodiscard]] const Token& operator[](std::size_t slot) const { return pages_[slot / kPage]->tokens[slot % kPage]; }
    /// Valid until the hypothesis is copied, or its state() is asked for.
    [[nodiscard]] Token& change(std::size_t slot) {
        Page& page = changing(slot / kPage);
        page.changed |= static_cast<std::uint8_t>(1U << slot % kPage);
        return page.tokens[slot % kPage];
    }
    /// The first that is free takes it.
    Slot add(const Token& token);
    /// The first that is in use for which it holds; kNobody: none.
    template <typename Holds>
    [[nodiscard]] Slot find(Holds holds) const {
        for (std::size_t slot = 0; slot < size_; ++slot) {
            const Token& token = (*this)[slot];
            if (token.state != Token::State::free && holds(token)) {
                return static_cast<Slot>(slot);
            }
        }
        return kNobody;
    }

    /// The sum of identity() of all.
    [[nodiscard]] std::uint64_t state() const;
    /// Of kNobody as well. Precondition: state() was asked since the latest change.
    [[nodiscard]] std::uint64_t identity(Slot slot) const {
        return slot == kNobody ? 1 : pages_[slot / kPage]->identities[slot % kPage];
    }

private:
    static constexpr std::size_t kPage = 8;
    struct Page : boost::intrusive_ref_counter<Page, boost::thread_unsafe_counter>, Recycled<Page> {
        std::array<Token, kPage> tokens;
        std::uint8_t changed = 0;                       // tokens whose identity is not as follows, a bit each
        std::array<std::uint64_t, kPage> identities{};  // of free ones: 0
        std::uint64_t sum = 0;
    };
    Page& changing(std::size_t page) {
        boost::intrusive_ptr<Page>& shared = pages_[page];
        if (shared->use_count() > 1) {
            shared = new Page(*shared);
        }
        return *shared;
    }

    std::vector<boost::intrusive_ptr<Page>> pages_;
    std::size_t size_ = 0;
};

}  // namespace timesink::infer
