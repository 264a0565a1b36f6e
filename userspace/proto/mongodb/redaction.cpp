#include "proto/mongodb/redaction.hpp"

#include <algorithm>
#include <string_view>

#include "proto/mongodb/bson.hpp"

namespace timesink::proto::mongodb {
namespace {

constexpr int kDeepest = 6;  // one more than shapes are deep, within a command

/// A message's bytes, some of which are told.
class Teller {
public:
    Teller(const Frame& frame, Sink& sink) : frame_(frame), sink_(sink) {}

    void tell(std::string_view part) { proto::keep(frame_, part, Kept::structure, sink_); }

    void command(std::string_view document) {
        constexpr std::size_t kLongestName = 128;
        bool first = true;
        walk(document, [&](const Document::Element& element) {
            const bool place = first || element.name == "$db" || element.name == "collection";
            first = false;
            if (place && element.type == kString && text_of(element.value).size() <= kLongestName) {
                tell(element.value);
            } else if (is_telling(element.name)) {
                names(element, 0);
            } else if (is_statements(element.name) && element.type == kArray) {
                statements(element.value);
            } else {
                length(element);
            }
        });
    }
    void sequence(std::string_view section) {
        Reader reader(section);
        (void)reader.little<4>();
        const std::string_view name = reader.text();
        tell(section.substr(0, section.size() - reader.rest().size()));
        if (is_statements(name)) {
            statement(reader.rest());
        }
    }
    void reply(std::string_view document) {
        walk(document, [&](const Document::Element& element) {
            if (element.name == "ok" || element.name == "code" || element.name == "n") {
                element.type == kString ? length(element) : number(element);
            } else if (element.name == "writeErrors" && element.type == kArray) {
                write_errors(element.value);
            } else {
                length(element);
            }
        });
    }

private:
    /// Tells of a document all but its values; `each` does that.
    template <typename Each>
    void walk(std::string_view document, Each each) {
        tell(document.substr(0, 4));
        Document elements(document);
        const char* at = document.data() + std::min<std::size_t>(4, document.size());
        while (const auto element = elements.next()) {
            tell({at, static_cast<std::size_t>(element->value.data() - at)});  // type and name
            each(*element);
            at = element->value.data() + element->value.size();
        }
        if (elements.ended()) {
            tell({at, 1});
        }
    }
    void statement(std::string_view document) {
        walk(document, [&](const Document::Element& element) { is_telling(element.name) ? names(element, 0) : length(element); });
    }
    /// The first, and where the others are.
    void statements(std::string_view array) {
        bool first = true;
        walk(array, [&](const Document::Element& element) {
            first&& element.type == kDocument ? statement(element.value) : length(element);
            first = false;
        });
    }
    /// What it takes to find the end of a value.
    void length(const Document::Element& element) {
        switch (element.type) {
            case kString:
            case kDocument:
            case kArray:
            case 0x05:
            case 0x0d:
            case 0x0e:
            case 0x0f:
                tell(element.value.substr(0, 4));
                break;
            case 0x0b:  // two texts, of which only the ends are told
                for (std::size_t at = 0; at < element.value.size(); ++at) {
                    if (element.value[at] == '\0') {
                        tell(element.value.substr(at, 1));
                    }
                }
                break;
            default:
                break;
        }
    }
    void number(const Document::Element& element) {
        const bool is = element.type == kDouble || element.type == kBool || element.type == kInt32 || element.type == kInt64;
        is ? tell(element.value) : length(element);
    }
    void names(const Document::Element& element, int depth) {
        if ((element.type == kDocument || element.type == kArray) && depth < kDeepest) {
            walk(element.value, [&](const Document::Element& inner) { names(inner, depth + 1); });
        } else {
            length(element);
        }
    }
    void write_errors(std::string_view array) {
        bool first = true;
        walk(array, [&](const Document::Element& error) {
            if (first && error.type == kDocument) {
                walk(error.value, [&](const Document::Element& part) { part.name == "code" ? number(part) : length(part); });
            } else {
                length(error);
            }
            first = false;
        });
    }

    const Frame& frame_;
    Sink& sink_;
};

}  // namespace

void keep(const Frame& frame, const Header& header, Sink& sink) {
    const bool request = frame.direction == Direction::request;
    Teller teller(frame, sink);
    Reader reader(frame.payload);
    const auto tell_up_to_rest = [&] { teller.tell(frame.payload.substr(0, frame.payload.size() - reader.rest().size())); };
    const auto tell_document = [&](std::string_view document) { request ? teller.command(document) : teller.reply(document); };
    if (header.operation == Operation::query) {
        (void)reader.take(4);
        (void)reader.text();
        (void)reader.take(8);
        tell_up_to_rest();
        tell_document(reader.rest());
        return;
    }
    if (header.operation == Operation::reply) {
        (void)reader.take_some(20);
        tell_up_to_rest();
        tell_document(reader.rest());
        return;
    }
    if (header.operation != Operation::message) {
        return;
    }
    (void)reader.take_some(4);
    tell_up_to_rest();
    while (!reader.rest().empty()) {
        teller.tell(reader.rest().substr(0, 1));
        const std::uint8_t kind = reader.byte();
        const std::string_view rest = reader.rest();
        const std::string_view section = reader.take_some(Reader(rest).little<4>());
        if (kind > 1 || section.size() < 4) {
            break;
        }
        kind == 0 ? tell_document(section) : teller.sequence(section);
    }
}

}  // namespace timesink::proto::mongodb
