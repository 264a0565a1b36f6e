#include "proto/memcached/memcached.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "proto/lines.hpp"
#include "proto/memcached/command.hpp"
#include "proto/memcached/parsers.hpp"

namespace timesink::proto::memcached {
namespace {

/// A connection speaks one of the two protocols to its end; its first byte tells which.
class Memcached final : public Parser {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override {
        if (parser_ == nullptr && !chunk.bytes.empty()) {
            const char first = as_text(chunk.bytes).front();
            parser_ = first == kBinaryRequest || first == kBinaryResponse ? make_binary() : make_text();
            for (const Missing& missing : missing_) {
                parser_->gap(missing.direction, missing.begin, missing.end, sink);
            }
            missing_.clear();
        }
        return parser_ != nullptr ? parser_->parse(chunk, sink) : Parsed{};
    }
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override {
        if (parser_ != nullptr) {
            parser_->gap(direction, begin, end, sink);
        } else if (missing_.size() < 2) {  // that there was a loss matters, not how many
            missing_.push_back({direction, begin, end});
        }
    }
    void finish(Direction direction, std::uint64_t position, Sink& sink) override {
        if (parser_ != nullptr) {
            parser_->finish(direction, position, sink);
        }
    }

private:
    struct Missing {
        Direction direction;
        std::uint64_t begin;
        std::uint64_t end;
    };
    std::unique_ptr<Parser> parser_;
    std::vector<Missing> missing_;  ///< before the first byte
};

/// Beanstalkd, mail and news servers say these too.
bool is_shared(std::string_view line) {
    constexpr std::array<std::string_view, 8> kShared = {"delete",    "quit",    "stats",     "version",
                                                         "verbosity", "DELETED", "NOT_FOUND", "TOUCHED"};
    return std::find(kShared.begin(), kShared.end(), line.substr(0, line.find(' '))) != kShared.end();
}

Match detect_binary(std::string_view text, bool request) {
    if (text.size() >= kBinaryHeader) {
        return binary_header(text, request).valid ? Match::yes : Match::no;
    }
    const bool may = (text.size() < 2 || !binary_name(static_cast<std::uint8_t>(text[1])).empty()) &&
                     (text.size() < 3 || text[2] == '\0') && (text.size() < 6 || text[5] == '\0');
    return may ? Match::maybe : Match::no;
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    const std::string_view text = as_text(bytes);
    const bool request = direction == Direction::request;
    if (text.empty()) {
        return Match::maybe;
    }
    if (text.front() == (request ? kBinaryRequest : kBinaryResponse)) {
        return detect_binary(text, request);
    }
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (end != std::string_view::npos) {
        const bool ends = line.ends_with('\r') && line.size() > 1;
        const std::string_view said = line.substr(0, line.size() - (ends ? 1 : 0));
        const bool is = ends && (request ? command_of(said).has_value() : is_telling_answer(said));
        return !is ? Match::no : is_shared(said) ? Match::maybe : Match::yes;
    }
    if (request) {
        return may_become_command(line) ? Match::maybe : Match::no;
    }
    const bool word = line.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_ \r") == std::string_view::npos;
    return (word && line.size() <= 12) || line.starts_with("VALUE ") || line.starts_with("VA ") || line.starts_with("STAT ") ||
                   line.starts_with("CLIENT_ERROR ") || line.starts_with("SERVER_ERROR ") || line.starts_with("HD ")
               ? Match::maybe
               : Match::no;
}

std::unique_ptr<Parser> make() {
    return std::make_unique<Memcached>();
}

}  // namespace timesink::proto::memcached
