#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/redis/commands.hpp"
#include "proto/redis/queue_script.hpp"
#include "proto/redis/sha1.hpp"
#include "proto/redis/value.hpp"

namespace timesink::proto::redis {

/// What stands at the begin of a script in a recording, whose text is masked; its SHA-1 follows, by which EVALSHA calls it.
inline constexpr std::string_view kScriptMark = "--sha1:";

/// Picks out of a command's arguments, as they go by, what its identity needs: name, subcommand, first key, script. Values are
/// never kept.
class CommandReader final : public ValueSink {
public:
    static constexpr std::size_t kLongestKey = 256;

    void begin();
    void item(char type, std::string_view text, std::size_t depth) override;
    void string_bytes(std::span<const std::byte> bytes, std::size_t depth) override;
    void string_end(std::size_t depth) override;
    /// A command in one line ("PING\r\n"); words apart by spaces.
    void inline_command(std::string_view line);
    /// The argument in progress has a hole: it tells nothing.
    void hole() { hole_ = true; }

    [[nodiscard]] bool malformed() const { return malformed_; }
    [[nodiscard]] bool named() const { return !name_.empty(); }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const CommandKind& kind() const { return kind_; }
    [[nodiscard]] std::string operation() const { return subcommand_.empty() ? name_ : name_ + " " + subcommand_; }
    [[nodiscard]] const std::string& subcommand() const { return subcommand_; }
    [[nodiscard]] const std::string& option() const { return option_; }  ///< of CLIENT REPLY: upper-case
    [[nodiscard]] const std::string& key() const { return key_; }
    [[nodiscard]] const std::string& script() const { return script_; }
    /// Of a script that is called with keys.
    [[nodiscard]] const QueueScript& queue() const { return queue_; }
    [[nodiscard]] bool blocks() const { return kind_.blocking || block_option_; }
    /// What of the argument that ended last may be recorded.
    enum class Shown : std::uint8_t { nothing, all, key, job_key, script };
    [[nodiscard]] Shown shown() const { return shown_; }
    /// The name included; as announced, though not all may have been seen.
    [[nodiscard]] std::uint64_t arguments() const { return std::max<std::uint64_t>(argument_, announced_); }

private:
    void argument_done();
    void script_key(std::size_t index, const std::string& text, bool hole);
    [[nodiscard]] std::string script_of(std::string_view text);

    std::size_t argument_ = 0;
    std::uint64_t announced_ = 0;
    std::string text_;  ///< of the argument in progress, its first bytes
    bool hole_ = false;
    bool malformed_ = false;
    std::string name_;
    CommandKind kind_;
    std::string subcommand_;
    std::string option_;
    std::string key_;
    std::string script_;
    Sha1 sha1_;
    bool no_keys_ = false;    ///< a script called with 0 keys
    std::uint64_t keys_ = 0;  ///< that a script is called with
    QueueScript queue_;
    bool block_option_ = false;
    bool streams_ = false;
    Shown shown_ = Shown::nothing;
};

}  // namespace timesink::proto::redis
