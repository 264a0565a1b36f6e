#include "proto/redis/redaction.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"

namespace timesink::proto::redis {
namespace {

constexpr char kMask = 'x';
constexpr std::size_t kKept = CommandReader::kLongestKey;

/// What names a push, as ReplyReader and its parser look for it.
bool names_push(std::string_view text) {
    constexpr std::array<std::string_view, 9> kWords = {"SUBSCRIBE",    "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE", "SSUBSCRIBE",
                                                        "SUNSUBSCRIBE", "MESSAGE",     "PMESSAGE",   "SMESSAGE"};
    return text.size() <= 12 && std::find(kWords.begin(), kWords.end(), upper(text)) != kWords.end();
}

/// The code that an error begins with; empty: it has none.
std::string_view code_of(std::string_view error) {
    const std::string_view word = error.substr(0, error.find(' '));
    return word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string_view::npos ? word : std::string_view{};
}

/// It, and the blank that ends it.
std::string_view with_blank(std::string_view error, std::string_view code) {
    return code.empty() || code.size() == error.size() ? code : error.substr(0, code.size() + 1);
}

bool is_status(std::string_view text) {
    return text.size() <= 16 && text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
}

/// "1700000000.123456 [": what tells a line of MONITOR, which may have any command behind it.
std::size_t monitor_begin(std::string_view text) {
    const std::size_t bracket = text.find(" [");
    const bool is =
        bracket != std::string_view::npos && text.substr(0, bracket).find_first_not_of("0123456789.") == std::string_view::npos;
    return is ? bracket + 2 : 0;
}

}  // namespace

void ValueRedaction::begin() {
    type_ = 0;
    elements_ = 0;
    text_.clear();
    string_bytes_ = 0;
}

std::size_t ValueRedaction::take(Value& value, std::span<const std::byte> bytes, std::uint64_t position, CommandReader& reader,
                                 Sink& sink) {
    command_ = &reader;
    return take(value, bytes, position, static_cast<ValueSink&>(reader), sink);
}

std::size_t ValueRedaction::take(Value& value, std::span<const std::byte> bytes, std::uint64_t position, ReplyReader& reader,
                                 Sink& sink) {
    reply_ = &reader;
    return take(value, bytes, position, static_cast<ValueSink&>(reader), sink);
}

std::size_t ValueRedaction::take(Value& value, std::span<const std::byte> bytes, std::uint64_t position, ValueSink& reader,
                                 Sink& sink) {
    if (!sink.redacts()) {
        return value.take(bytes, reader);
    }
    reader_ = &reader;
    sink_ = &sink;
    bytes_ = bytes;
    position_ = position;
    return value.take(bytes, *this);
}

void ValueRedaction::tell(std::uint64_t position, std::string_view text, Kept kind) {
    sink_->keep(command_ != nullptr ? Direction::request : Direction::response, position, text, kind);
}

void ValueRedaction::item(char type, std::string_view text, std::size_t depth) {
    reader_->item(type, text, depth);
    type_ = depth == 0 ? type : type_;
    elements_ += depth == 1 ? 1 : 0;
    text_.clear();
    string_bytes_ = 0;
}

void ValueRedaction::string_bytes(std::span<const std::byte> bytes, std::size_t depth) {
    reader_->string_bytes(bytes, depth);
    if (string_bytes_ == 0) {
        text_begin_ = position_ + static_cast<std::uint64_t>(bytes.data() - bytes_.data());
    }
    string_bytes_ += bytes.size();
    const std::string_view piece = as_text(bytes);
    text_.append(piece.substr(0, std::min(piece.size(), kKept - std::min(kKept, text_.size()))));
}

void ValueRedaction::string_end(std::size_t depth) {
    reader_->string_end(depth);
    command_ != nullptr ? argument() : reply_string(depth);
    text_.clear();
    string_bytes_ = 0;
}

void ValueRedaction::argument() {
    switch (command_->shown()) {
        case CommandReader::Shown::all:
            tell(text_begin_, text_);
            break;
        case CommandReader::Shown::key:
            tell(text_begin_, text_, Kept::key);
            break;
        case CommandReader::Shown::job_key: {
            const std::size_t id = text_.rfind(':') + 1;
            tell(text_begin_, std::string_view(text_).substr(0, id), Kept::key);
            tell(text_begin_ + id, std::string_view(text_).substr(id));
            break;
        }
        case CommandReader::Shown::script: {
            const std::string mark = std::string(kScriptMark) + command_->script();
            if (string_bytes_ >= mark.size()) {
                tell(text_begin_, mark);
            }
            break;
        }
        case CommandReader::Shown::nothing:
            break;
    }
}

void ValueRedaction::reply_string(std::size_t depth) {
    if (depth == 0 && type_ == '!') {
        tell(text_begin_, with_blank(text_, code_of(text_)));
    } else if ((depth == 1 && elements_ == 1 && (type_ == '*' || type_ == '>') && names_push(text_)) ||
               (reply_ != nullptr && reply_->read_job_field())) {
        tell(text_begin_, text_);
    } else if (reply_ != nullptr && reply_->read_job()) {
        tell(text_begin_, text_, is_counter(text_) ? Kept::structure : Kept::key);
    }
}

std::string ValueRedaction::masked_line(std::string_view text) {
    std::string out(text);
    const char type = text.empty() ? '\0' : text.front();
    std::size_t shown = out.size();
    switch (type) {
        case '+': {
            const std::string_view said = text.substr(1);
            shown = is_status(said) || names_push(said) ? shown : 1 + monitor_begin(said);
            break;
        }
        case '-':
            shown = 1 + with_blank(text.substr(1), code_of(text.substr(1))).size();
            break;
        case ':':
        case ',':
        case '(': {
            const bool zero = std::all_of(out.begin(), out.end(), [](char c) { return !is_digit(c) || c == '0'; });
            std::replace_if(out.begin(), out.end(), is_digit, zero ? '0' : '1');
            break;
        }
        case '#':
            out.assign(std::string("#t").substr(0, out.size())).resize(text.size(), kMask);
            break;
        default:  // lengths and counts, if it is what it seems to be
            shown = std::min(text.find_first_not_of("0123456789-?.", 1), text.size());
            break;
    }
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(shown), out.end(), [](char c) { return c != '\r'; }, kMask);
    return out;
}

void ValueRedaction::line(std::string_view text, std::size_t end, std::size_t length) {
    const std::uint64_t line_end = position_ + end;
    tell(line_end - length, masked_line(text));
    const std::string_view ending = length == text.size() + 2 ? "\r\n" : "\n";
    tell(line_end - ending.size(), ending);
}

void ValueRedaction::cut(const Value& value, Direction direction, std::uint64_t position, Sink& sink) {
    const std::string_view line = value.partial_line();
    if (!line.empty() && sink.redacts()) {
        sink.keep(direction, position - line.size(), masked_line(line), Kept::structure);
    }
}

void ValueRedaction::ending(std::size_t offset, char byte) {
    tell(position_ + offset, std::string_view(&byte, 1));
}

void keep_inline(const LineReader& line, const CommandReader& command, std::uint64_t end, Sink& sink) {
    const std::string_view text = line.text();
    const std::uint64_t begin = end - line.length();
    std::size_t at = 0;
    for (std::size_t index = 0; at < text.size(); ++index) {
        const std::size_t word_end = std::min(text.find(' ', at), text.size());
        const std::string_view word = text.substr(at, word_end - at);
        if (index == 0 || (index == 1 && !command.subcommand().empty())) {
            sink.keep(Direction::request, begin + at, word, Kept::structure);
        } else if (!word.empty() && word == command.key() && is_known(command.name())) {
            sink.keep(Direction::request, begin + at, word, Kept::key);
        }
        if (word_end < text.size()) {
            sink.keep(Direction::request, begin + word_end, " ", Kept::structure);
        }
        at = word_end + 1;
    }
    const std::string_view ending = !line.cut() && line.length() == text.size() + 2 ? "\r\n" : "\n";
    sink.keep(Direction::request, end - ending.size(), ending, Kept::structure);
}

}  // namespace timesink::proto::redis
