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
///
/// Background work goes on beyond its unit by nature. It is told from a worker by its whole life: a worker is made because
/// there is work, and whoever waits for that sees its first call while its unit is in flight; what comes later is others', and
/// as much as there is. So of goroutines that go on, those of a function are believed if hardly any sent something before the
/// unit was over, and all send about as much. Work that begins before the response and goes on after it is not told from a
/// worker's, and stays ambiguous.
class Functions {
public:
    /// A goroutine that ran it has ended (another one has taken its place).
    void ended(const Context& goroutine);
    void strayed(std::uint32_t start) { known_[start].strayed++; }
    [[nodiscard]] bool works_for_its_maker(std::uint32_t start) const {
        const auto found = known_.find(start);
        return start != 0 && found != known_.end() && found->second.ended >= kEndedLeast &&
               found->second.strayed * kEndedToStrayed <= found->second.ended;
    }
    /// In the background, when the unit is over.
    [[nodiscard]] bool goes_on_for_its_maker(std::uint32_t start) const;

private:
    static constexpr std::uint64_t kEndedLeast = 3;
    static constexpr std::uint64_t kEndedToStrayed = 50;
    struct Lives {
        std::uint64_t ended = 0;
        std::uint64_t strayed = 0;
        // Of those that have ended and sent something when their unit was over:
        std::uint64_t went_on = 0;
        std::uint64_t mixed = 0;   // and before, too
        std::uint32_t fewest = 0;  // calls
        std::uint32_t most = 0;
    };
    std::map<std::uint32_t, Lives> known_;  // as many as the program has go statements
};

/// It was made just now.
void made(Context& goroutine);
/// A unit was read there; and it has ended.
void reads(const ContextRef& reader, const request::Unit& unit);
void has_read(const ContextRef& reader, UnitId unit);

/// The goroutine that read and answered the unit, and served no other at that time; null: none that is known. net/http reads
/// ahead by a child of the connection's goroutine, which gets the first byte of the next request at times.
ContextRef server_of(const ContextRef& answered_in, const ContextRef& reader);
void served(Context& server, const LiveUnit& live);
/// A unit whose server is not known was answered there: what goes on there is no longer the work of the one before.
void answers_another(const ContextRef& writer);

/// Sent by the server itself or by a descendant, on behalf of the unit.
bool works_for(const ContextRef& sent_in, Instant sent, const Context& server, const LiveUnit& live, const Functions& functions);

/// The same, whatever it is that the descendants run: likely, if no other unit is in flight.
bool descends_from(const ContextRef& sent_in, Instant sent, const Context& server, const LiveUnit& live);

/// What was sent when the unit was over in whose time the sender was made.
struct LeftBehind {
    Evidence evidence = Evidence::none;  ///< ambiguous: what the sender runs is not believed to work for its maker
    bool by_server = false;              ///< it is that unit's server that goes on, unless it has been given another
    AnsweredRef by;                      ///< whose background work it is; null: not known, or anyone's
};
/// It was made in the time of a unit that has been answered, or is its server after that. Empty: it is neither. Of each sending,
/// once.
std::optional<LeftBehind> left_behind(const ContextRef& sent_in, Instant sent, Functions& functions);

}  // namespace timesink::attribute::goroutines
