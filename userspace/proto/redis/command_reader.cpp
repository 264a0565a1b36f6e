#include "proto/redis/command_reader.hpp"

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"

namespace timesink::proto::redis {
namespace {

constexpr std::size_t kLongestName = 64;

bool is_name(std::string_view text) {
    // Modules have dots ("JSON.GET"), EVALSHA_RO an underscore; some clients send what the user typed.
    return !text.empty() && text.size() <= kLongestName && std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-' || c == '|';
    });
}

}  // namespace

void CommandReader::begin() {
    *this = CommandReader();
}

void CommandReader::item(char type, std::string_view text, std::size_t depth) {
    // A command is an array of plain strings (the server refuses anything else).
    if (depth == 0 ? type != '*' || text.starts_with('-') || text == "?" : type != '$' || text.starts_with('-') || text == "?") {
        malformed_ = true;
    } else if (depth == 0 && !parse_decimal(text, announced_)) {
        announced_ = 0;
    }
}

void CommandReader::string_bytes(std::span<const std::byte> bytes, std::size_t) {
    const std::string_view piece = as_text(bytes);
    text_.append(piece.substr(0, std::min(piece.size(), kLongestKey - text_.size())));
    if (argument_ == 1 && kind_.script) {
        sha1_.add(bytes);
    }
}

void CommandReader::string_end(std::size_t) {
    argument_done();
}

void CommandReader::inline_command(std::string_view line) {
    while (!line.empty()) {
        const std::size_t end = std::min(line.find(' '), line.size());
        if (end > 0) {
            string_bytes(std::as_bytes(std::span(line.data(), end)), 1);
            argument_done();
        }
        line.remove_prefix(std::min(end + 1, line.size()));
    }
}

/// In a recording it stands in its text.
std::string CommandReader::script_of(std::string_view text) {
    constexpr std::size_t kDigits = 40;
    const std::string_view digest = text.substr(std::min(kScriptMark.size(), text.size()), kDigits);
    const bool marked = text.starts_with(kScriptMark) && digest.size() == kDigits &&
                        digest.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    return marked ? std::string(digest) : sha1_.hex();
}

/// What is in the keys of a script says whether it is a queue's.
void CommandReader::script_key(std::size_t index, const std::string& text, bool hole) {
    // No more than are looked at: a wrong number of keys would make keys of values.
    if (!hole && queue_.takes_keys()) {
        const bool job = queue_.expects_job() && is_counter(std::string_view(text).substr(text.rfind(':') + 1));
        shown_ = !is_known(name_) ? Shown::nothing : job ? Shown::job_key : Shown::key;
        queue_.key(text);
    }
    if (index + 1 == 3 + keys_) {
        queue_.end();
    }
}

void CommandReader::argument_done() {
    const std::size_t index = argument_++;
    const std::string text = std::exchange(text_, {});
    const bool hole = std::exchange(hole_, false);
    shown_ = Shown::nothing;
    if (index == 0) {
        malformed_ = malformed_ || hole || !is_name(text);
        name_ = malformed_ ? "" : upper(text);
        kind_ = kind_of(name_);
        shown_ = malformed_ ? Shown::nothing : Shown::all;
        return;
    }
    if (kind_.script && index > 2 && keys_ < announced_ && index < 3 + keys_) {
        script_key(index, text, hole);
    }
    if (hole) {
        return;
    }
    if (index == 1 && kind_.container && is_name(text)) {
        subcommand_ = upper(text);
        shown_ = Shown::all;
    }
    if (index == 1 && kind_.script) {
        const bool by_name = name_.starts_with("EVALSHA") || name_.starts_with("FCALL");
        script_ = by_name ? text : script_of(text);
        shown_ = by_name ? Shown::all : Shown::script;
    }
    if (index == 2 && name_ == "CLIENT") {
        option_ = subcommand_ == "REPLY" ? upper(text) : "";
        shown_ = option_ == "ON" || option_ == "OFF" || option_ == "SKIP" ? Shown::all : Shown::nothing;
    }
    if (index == 2 && kind_.key == CommandKind::Key::third && kind_.script) {
        no_keys_ = text == "0";
        shown_ = parse_decimal(text, keys_) ? Shown::all : Shown::nothing;
    }
    const auto place = static_cast<std::size_t>(kind_.key) + 1;
    if (kind_.key <= CommandKind::Key::third && index == place && !no_keys_) {
        key_ = text;
        shown_ = is_known(name_) && shown_ == Shown::nothing ? Shown::key : shown_;
    } else if (kind_.key == CommandKind::Key::streams && key_.empty()) {
        if (streams_) {
            key_ = text;
            shown_ = Shown::key;
        } else if (text.size() <= 7) {
            const std::string word = upper(text);
            streams_ = word == "STREAMS";
            block_option_ = block_option_ || word == "BLOCK";
            shown_ = streams_ || word == "BLOCK" ? Shown::all : shown_;
        }
    }
}

}  // namespace timesink::proto::redis
