#include "genai/facts.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

namespace timesink::genai {

namespace {

using Json = nlohmann::json;

/// Names deeper than this are nobody's.
constexpr std::size_t kDeepest = 8;

std::string name_of(std::string_view text) {
    return std::string(text.substr(0, kLongestName));
}

/// Where a value stands: "usage.prompt_tokens", "choices.delta.content"; arrays have no names.
class Path {
public:
    void key(std::string_view name) { pending_ = name.substr(0, 32); }
    void open() {
        ++depth_;
        if (names_.size() < kDeepest) {
            names_.push_back(std::move(pending_));
        }
        pending_.clear();
    }
    void close() {
        if (depth_ == names_.size() && !names_.empty()) {
            names_.pop_back();
        }
        depth_ -= depth_ > 0 ? 1 : 0;
        pending_.clear();
    }
    /// Of the value that comes now. `begin`: where the document begins.
    [[nodiscard]] std::string text(std::string_view begin) const {
        std::string path(begin);
        if (depth_ > names_.size()) {
            return "(too deep)";
        }
        for (const std::string& name : names_) {
            append(path, name);
        }
        append(path, pending_);
        return path;
    }
    void used() { pending_.clear(); }

private:
    static void append(std::string& path, std::string_view name) {
        if (!name.empty()) {
            path.append(path.empty() ? "" : ".").append(name);
        }
    }
    std::vector<std::string> names_;
    std::size_t depth_ = 0;
    std::string pending_;
};

/// Messages of both APIs, whole or within an event ("message" of Anthropic's message_start, "response" of OpenAI's Responses).
std::string_view without_wrapper(std::string_view path) {
    for (const std::string_view wrapper : {"message.", "response."}) {
        if (path.starts_with(wrapper)) {
            return path.substr(wrapper.size());
        }
    }
    return path;
}

void take_number(Facts& facts, std::string_view path, std::uint64_t number) {
    path = without_wrapper(path);
    if (!path.starts_with("usage.")) {
        return;
    }
    path.remove_prefix(std::string_view("usage.").size());
    if (path == "prompt_tokens" || path == "input_tokens") {
        facts.input_tokens = number;
    } else if (path == "completion_tokens" || path == "output_tokens") {
        facts.output_tokens = number;
    } else if (path == "cache_read_input_tokens") {
        facts.cache_read_tokens = number;
        facts.cache_apart = true;
    } else if (path == "cache_creation_input_tokens") {
        facts.cache_creation_tokens = number;
        facts.cache_apart = true;
    } else if (path == "prompt_tokens_details.cached_tokens" || path == "input_tokens_details.cached_tokens") {
        facts.cache_read_tokens = number;
    } else if (path == "completion_tokens_details.reasoning_tokens" || path == "output_tokens_details.reasoning_tokens") {
        facts.reasoning_tokens = number;
    }
}

/// Names under which the APIs stream what was generated.
bool is_output(std::string_view path) {
    // "delta" as a text: Responses ("response.output_text.delta"); within an object: Anthropic.
    static constexpr std::array<std::string_view, 11> kOutputs = {"choices.delta.content",
                                                                  "choices.delta.reasoning_content",
                                                                  "choices.delta.reasoning",
                                                                  "choices.delta.refusal",
                                                                  "choices.delta.tool_calls.function.name",
                                                                  "choices.delta.tool_calls.function.arguments",
                                                                  "choices.text",
                                                                  "delta",
                                                                  "delta.text",
                                                                  "delta.thinking",
                                                                  "delta.partial_json"};
    return std::find(kOutputs.begin(), kOutputs.end(), path) != kOutputs.end();
}

void take_text(Facts& facts, std::string_view path, std::string_view text) {
    if (!text.empty() && is_output(path)) {
        facts.has_output = true;
        return;
    }
    if (path == "type") {
        facts.type = name_of(text);
    } else if (path == "prompt") {
        facts.has_prompt = true;
    } else if (path == "input") {
        facts.has_input = true;
    } else if (path == "error.type" || path == "error.code") {
        facts.error_type = facts.error_type.empty() ? name_of(text) : facts.error_type;
    } else if (path == "choices.finish_reason" || path == "delta.stop_reason" || path == "stop_reason") {
        facts.finish_reason = name_of(text);
    } else if (path == "model" || path == "message.model" || path == "response.model") {
        facts.model = name_of(text);
    } else if (path == "object" || path == "response.object") {
        facts.object = name_of(text);
    }
}

void take_opening(Facts& facts, std::string_view path) {
    facts.has_messages = facts.has_messages || path == "messages";
    facts.has_input = facts.has_input || path == "input";
    facts.has_prompt = facts.has_prompt || path == "prompt";
    facts.has_choices = facts.has_choices || path == "choices";
    facts.has_data = facts.has_data || path == "data";
}

/// The parser's listener. Its names are nlohmann's.
class Reader {
public:
    Reader(Facts& facts, std::string_view begin) : facts_(facts), begin_(begin) {}

    bool null() { return done(); }
    bool boolean(bool value) {
        if (path_.text(begin_) == "stream") {
            facts_.stream = value;
        }
        return done();
    }
    bool number_integer(std::int64_t) { return done(); }  // negative: no count
    bool number_unsigned(std::uint64_t value) {
        take_number(facts_, path_.text(begin_), value);
        return done();
    }
    bool number_float(double, const std::string&) { return done(); }
    bool string(const std::string& value) {
        take_text(facts_, path_.text(begin_), value);
        return done();
    }
    bool binary(Json::binary_t&) { return done(); }
    bool key(const std::string& name) {
        path_.key(name);
        return true;
    }
    bool start_object(std::size_t) { return open(); }
    bool start_array(std::size_t) { return open(); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    static bool parse_error(std::size_t, const std::string&, const Json::exception&) { return false; }

private:
    bool open() {
        take_opening(facts_, path_.text(begin_));
        path_.open();
        return true;
    }
    bool close() {
        path_.close();
        return true;
    }
    bool done() {
        path_.used();
        return true;
    }
    Facts& facts_;
    std::string_view begin_;
    Path path_;
};

void read(std::string_view document, std::string_view begin, Facts& facts) {
    Reader reader(facts, begin);
    (void)Json::sax_parse(document.begin(), document.end(), &reader, Json::input_format_t::json, false);
}

/// Where the value of the last such name begins; npos: it is not there.
std::size_t value_of(std::string_view text, std::string_view quoted_name) {
    for (std::size_t at = text.rfind(quoted_name); at != std::string_view::npos && at > 0; at = text.rfind(quoted_name, at - 1)) {
        std::size_t value = at + quoted_name.size();
        value = std::min(text.find_first_not_of(" \t\r\n", value), text.size());
        if (text[at - 1] != '\\' && value < text.size() && text[value] == ':') {
            return std::min(text.find_first_not_of(" \t\r\n", value + 1), text.size());
        }
    }
    return std::string_view::npos;
}

/// Behind a missing middle.
void read_end(std::string_view text, Facts& facts) {
    struct Wanted {
        std::string_view quoted;
        std::string_view begin;
    };
    static constexpr std::array<Wanted, 3> kWanted = {
        {{"\"usage\"", "usage"}, {"\"model\"", "model"}, {"\"finish_reason\"", "choices.finish_reason"}}};
    for (const Wanted& wanted : kWanted) {
        const std::size_t value = value_of(text, wanted.quoted);
        if (value == std::string_view::npos || value == text.size()) {
            continue;
        }
        Facts found;
        const bool object = text[value] == '{';
        if (object == (wanted.begin == "usage") && (object || text[value] == '"')) {
            read(text.substr(value), wanted.begin, found);
            found.update(facts);  // what stands at the begin is at the top for certain
            facts = std::move(found);
        }
    }
}

/// A number at the cut may go on behind it.
std::string_view without_last_number(std::string_view cut) {
    while (!cut.empty() && std::string_view("0123456789+-.eE").find(cut.back()) != std::string_view::npos) {
        cut.remove_suffix(1);
    }
    return cut;
}

template <typename Value>
void take_over(std::optional<Value>& mine, const std::optional<Value>& later) {
    if (later) {
        mine = later;
    }
}

void take_over(std::string& mine, const std::string& later) {
    if (!later.empty()) {
        mine = later;
    }
}

}  // namespace

void Facts::update(const Facts& later) {
    take_over(model, later.model);
    take_over(stream, later.stream);
    take_over(object, later.object);
    take_over(type, later.type);
    take_over(input_tokens, later.input_tokens);
    take_over(output_tokens, later.output_tokens);
    take_over(cache_read_tokens, later.cache_read_tokens);
    take_over(cache_creation_tokens, later.cache_creation_tokens);
    take_over(reasoning_tokens, later.reasoning_tokens);
    take_over(finish_reason, later.finish_reason);
    take_over(error_type, later.error_type);
    has_messages = has_messages || later.has_messages;
    has_input = has_input || later.has_input;
    has_prompt = has_prompt || later.has_prompt;
    has_choices = has_choices || later.has_choices;
    has_data = has_data || later.has_data;
    has_output = has_output || later.has_output;
    cache_apart = cache_apart || later.cache_apart;
}

Facts read_facts(std::string_view document) {
    Facts facts;
    read(document, {}, facts);
    return facts;
}

Facts read_facts(const BoundedText& document) {
    Facts facts;
    read(document.whole() ? document.head() : without_last_number(document.head()), {}, facts);
    if (!document.tail().empty()) {
        read_end(document.tail(), facts);
    }
    return facts;
}

}  // namespace timesink::genai
