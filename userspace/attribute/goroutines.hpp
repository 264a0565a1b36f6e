#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "attribute/contexts.hpp"
#include "attribute/live_unit.hpp"

/// Whose work a goroutine does: part of ContextOwners. A goroutine of a server reads one request, answers it, reads the next: it
/// belongs to each unit only for as long as that is in flight, and what it makes in that time belongs to the unit as well, by
/// when it was made. Goroutines that do not keep to this (event loops, workers of pools) own nothing.
namespace timesink::attribute::goroutines {

/// Whether what a goroutine runs tells that it works for whoever made it. Workers of pools that grow on demand and writers of
/// connections do not: they outlive the unit in whose time they were made, and work for others meanwhile, too. So a function is
/// believed only once goroutines that run it were seen to end, and hardly any to go on beyond their unit.
class Functions {
public:
    /// A goroutine that ran it has ended (another one has taken its place).
    void ended(std::uint32_t start) { known_[start].ended++; }
    void strayed(std::uint32_t start) { known_[start].strayed++; }
    [[nodiscard]] bool works_for_its_maker(std::uint32_t start) const {
        const auto found = known_.find(start);
        return start != 0 && found != known_.end() && found->second.ended >= kEndedLeast &&
               found->second.strayed * kEndedToStrayed <= found->second.ended;
    }

private:
    static constexpr std::uint64_t kEndedLeast = 3;
    static constexpr std::uint64_t kEndedToStrayed = 50;
    struct Lives {
        std::uint64_t ended = 0;
        std::uint64_t strayed = 0;
    };
    std::map<std::uint32_t, Lives> known_;  // as many as the program has go statements
};

/// A unit was read there; and it has ended.
void reads(const ContextRef& reader, const request::Unit& unit);
void has_read(const ContextRef& reader, UnitId unit);

/// The goroutine that read and answered the unit, and served no other at that time; null: none that is known. net/http reads
/// ahead by a child of the connection's goroutine, which gets the first byte of the next request at times.
ContextRef server_of(const ContextRef& answered_in, const ContextRef& reader);
void served(Context& server, const LiveUnit& live);

/// Sent by the server itself or by a descendant, on behalf of the unit.
bool works_for(const ContextRef& sent_in, Instant sent, const Context& server, const LiveUnit& live, const Functions& functions);

/// It was made in the time of a unit that has been answered, or is its server after that: work that was left behind (none), or,
/// where what it runs is not believed to work for its maker, anyone's (ambiguous). Empty: it is neither.
std::optional<Evidence> left_behind(const ContextRef& sent_in, Instant sent, Functions& functions);

}  // namespace timesink::attribute::goroutines
