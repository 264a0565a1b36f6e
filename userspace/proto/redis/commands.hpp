#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace timesink::proto::redis {

/// What is known of a command by its name. Names are upper-case.
struct CommandKind {
    enum class Key : std::uint8_t {
        first,    ///< argument 1
        second,   ///< argument 2: behind a subcommand, or a destination's operator
        third,    ///< argument 3: behind a script and its number of keys
        streams,  ///< behind the word STREAMS
        none,     ///< no key; its arguments may be secrets (AUTH) or values
    };
    Key key = Key::first;
    bool container = false;     ///< argument 1 is a subcommand: a part of the operation
    bool housekeeping = false;  ///< what clients send of their own accord
    bool blocking = false;      ///< waits at the server for something to happen
    bool script = false;        ///< argument 1 is a script, its SHA-1 or a function's name
};

CommandKind kind_of(std::string_view name);
/// Whether kind_of has something to say of it.
bool is_remarkable(std::string_view name);

/// Whether argument 1 of it is a key for sure, where kind_of says so: of a command that nobody knows it may be anything.
bool is_known(std::string_view name);

/// (P|S)(UN)SUBSCRIBE: answered by one confirmation per channel instead of one reply.
bool is_subscription(std::string_view name);

}  // namespace timesink::proto::redis
