#include "proto/redis/commands.hpp"

#include <algorithm>
#include <iterator>

namespace timesink::proto::redis {
namespace {

using Key = CommandKind::Key;

struct Known {
    std::string_view name;
    CommandKind kind;
};

// Commands that differ from "argument 1 is the key, nothing else is remarkable", as `COMMAND DOCS` of Redis 7 gives them.
constexpr Known kKnown[] = {
    {"ACL", {.key = Key::none, .container = true}},
    {"ASKING", {.key = Key::none, .housekeeping = true}},
    {"AUTH", {.key = Key::none, .housekeeping = true}},
    {"BGREWRITEAOF", {.key = Key::none}},
    {"BGSAVE", {.key = Key::none}},
    {"BITOP", {.key = Key::second}},
    {"BLMOVE", {.blocking = true}},
    {"BLMPOP", {.key = Key::third, .blocking = true}},
    {"BLPOP", {.blocking = true}},
    {"BRPOP", {.blocking = true}},
    {"BRPOPLPUSH", {.blocking = true}},
    {"BZMPOP", {.key = Key::third, .blocking = true}},
    {"BZPOPMAX", {.blocking = true}},
    {"BZPOPMIN", {.blocking = true}},
    {"CLIENT", {.key = Key::none, .container = true, .housekeeping = true}},
    {"CLUSTER", {.key = Key::none, .container = true, .housekeeping = true}},
    {"COMMAND", {.key = Key::none, .container = true, .housekeeping = true}},
    {"CONFIG", {.key = Key::none, .container = true}},
    {"DBSIZE", {.key = Key::none}},
    {"DEBUG", {.key = Key::none, .container = true}},
    {"DISCARD", {.key = Key::none}},
    {"ECHO", {.key = Key::none}},
    {"EVAL", {.key = Key::third, .script = true}},
    {"EVALSHA", {.key = Key::third, .script = true}},
    {"EVALSHA_RO", {.key = Key::third, .script = true}},
    {"EVAL_RO", {.key = Key::third, .script = true}},
    {"EXEC", {.key = Key::none}},
    {"FCALL", {.key = Key::third, .script = true}},
    {"FCALL_RO", {.key = Key::third, .script = true}},
    {"FLUSHALL", {.key = Key::none}},
    {"FLUSHDB", {.key = Key::none}},
    {"FUNCTION", {.key = Key::none, .container = true}},
    {"HELLO", {.key = Key::none, .housekeeping = true}},
    {"INFO", {.key = Key::none}},
    {"KEYS", {.key = Key::none}},
    {"LASTSAVE", {.key = Key::none}},
    {"LATENCY", {.key = Key::none, .container = true}},
    {"LMPOP", {.key = Key::second}},
    {"MEMORY", {.key = Key::second, .container = true}},
    {"MIGRATE", {.key = Key::none}},
    {"MODULE", {.key = Key::none, .container = true}},
    {"MONITOR", {.key = Key::none}},
    {"MULTI", {.key = Key::none}},
    {"OBJECT", {.key = Key::second, .container = true}},
    {"PING", {.key = Key::none, .housekeeping = true}},
    {"PSUBSCRIBE", {.key = Key::none}},
    {"PSYNC", {.key = Key::none}},
    {"PUBLISH", {.key = Key::none}},
    {"PUBSUB", {.key = Key::none, .container = true}},
    {"PUNSUBSCRIBE", {.key = Key::none}},
    {"QUIT", {.key = Key::none, .housekeeping = true}},
    {"RANDOMKEY", {.key = Key::none}},
    {"READONLY", {.key = Key::none, .housekeeping = true}},
    {"READWRITE", {.key = Key::none, .housekeeping = true}},
    {"REPLCONF", {.key = Key::none}},
    {"RESET", {.key = Key::none, .housekeeping = true}},
    {"ROLE", {.key = Key::none}},
    {"SAVE", {.key = Key::none}},
    {"SCAN", {.key = Key::none}},
    {"SCRIPT", {.key = Key::none, .container = true}},
    {"SELECT", {.key = Key::none, .housekeeping = true}},
    {"SENTINEL", {.key = Key::none, .container = true, .housekeeping = true}},
    {"SHUTDOWN", {.key = Key::none}},
    {"SINTERCARD", {.key = Key::second}},
    {"SLOWLOG", {.key = Key::none, .container = true}},
    {"SPUBLISH", {.key = Key::none}},
    {"SSUBSCRIBE", {.key = Key::none}},
    {"SUBSCRIBE", {.key = Key::none}},
    {"SUNSUBSCRIBE", {.key = Key::none}},
    {"SWAPDB", {.key = Key::none}},
    {"SYNC", {.key = Key::none}},
    {"TIME", {.key = Key::none}},
    {"UNSUBSCRIBE", {.key = Key::none}},
    {"UNWATCH", {.key = Key::none}},
    {"WAIT", {.key = Key::none, .blocking = true}},
    {"WAITAOF", {.key = Key::none, .blocking = true}},
    {"XGROUP", {.key = Key::second, .container = true}},
    {"XINFO", {.key = Key::second, .container = true}},
    {"XREAD", {.key = Key::streams}},
    {"XREADGROUP", {.key = Key::streams}},
    {"ZDIFF", {.key = Key::second}},
    {"ZINTER", {.key = Key::second}},
    {"ZINTERCARD", {.key = Key::second}},
    {"ZMPOP", {.key = Key::second}},
    {"ZUNION", {.key = Key::second}},
};

static_assert(std::is_sorted(std::begin(kKnown), std::end(kKnown),
                             [](const Known& left, const Known& right) { return left.name < right.name; }));

const Known* find(std::string_view name) {
    const auto* found = std::lower_bound(std::begin(kKnown), std::end(kKnown), name,
                                         [](const Known& known, std::string_view wanted) { return known.name < wanted; });
    return found != std::end(kKnown) && found->name == name ? found : nullptr;
}

}  // namespace

std::string upper(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return out;
}

bool is_remarkable(std::string_view name) {
    return find(name) != nullptr;
}

CommandKind kind_of(std::string_view name) {
    const Known* known = find(name);
    return known != nullptr ? known->kind : CommandKind{};
}

bool is_subscription(std::string_view name) {
    constexpr std::string_view kNames[] = {"PSUBSCRIBE", "PUNSUBSCRIBE", "SSUBSCRIBE",
                                           "SUBSCRIBE",  "SUNSUBSCRIBE", "UNSUBSCRIBE"};
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace timesink::proto::redis
