#include "live/python.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "live/elf_image.hpp"
#include "live/mappings.hpp"

namespace timesink::live {

namespace {

struct Image {
    std::string path;
    ElfImage elf;
    std::uint64_t bias = 0;  ///< address in the process less the link-time address
};

/// The image that defines the interpreter; empty: none that is mapped.
std::optional<Image> interpreter_image(std::uint32_t pid, const std::vector<Mapping>& mappings) {
    std::set<std::string> seen;
    for (const auto& mapping : mappings) {
        if (!seen.insert(mapping.file).second) {
            continue;  // the first mapping of each file is its lowest
        }
        auto elf = ElfImage::open(path_of(pid, mapping));
        if (!elf || elf->addresses(std::span(runtime::kCPythonSymbols).first(1))[0] == 0) {
            continue;
        }
        if (const auto linked = elf->address_of(mapping.offset)) {
            return Image{path_of(pid, mapping), std::move(*elf), mapping.begin - *linked};
        }
    }
    return std::nullopt;
}

std::vector<MappedFunction> functions_at(std::uint32_t pid, const std::vector<Mapping>& mappings,
                                         const std::vector<std::uint64_t>& addresses) {
    std::vector<MappedFunction> functions;
    for (const std::uint64_t address : addresses) {
        if (auto function = function_at(pid, mappings, address)) {
            functions.push_back(std::move(*function));
        }
    }
    return functions;
}

ts_python config_of(const runtime::CPython& python) {
    const runtime::CPythonLayout& layout = python.layout;
    return {.interpreter = python.interpreter,
            .context_type = python.context_type,
            .threads_head = layout.threads_head,
            .previous = layout.previous,
            .next = layout.next,
            .thread_id = layout.thread_id,
            .context = layout.context,
            .object_type = layout.object_type,
            .task_bytes = 0,
            .task_context = 0,
            .threads_have_contexts = 0,
            .offers = 0,
            .offer_epoch = 0,
            .waiting_items = 0,
            .buffers = 0,
            .data_stack = 0};
}

}  // namespace

void find_python_task(std::uint32_t local_pid, PythonProcess& python) {
    const ProcessMemory process(local_pid);
    if (const auto task = runtime::find_task(python.found, runtime::PagedMemory(process))) {
        python.task = function_at(local_pid, mappings_of(local_pid), task->initializer);
        python.config.task_bytes = task->bytes;
    }
}

void find_python_hand_over(std::uint32_t local_pid, PythonProcess& python) {
    const ProcessMemory process(local_pid);
    const runtime::PagedMemory memory(process);
    const auto found = runtime::find_hand_over(python.found, memory);
    python.has_workers = found.has_workers;
    if (found.copy_context == 0 && found.puts.empty()) {
        return;
    }
    const auto transport = runtime::find_buffering_transport(python.found, memory);
    std::vector<std::uint64_t> functions{found.copy_context};
    for (const auto* more : {&transport.writes, &transport.fast_writes, &found.puts, &found.gets}) {
        functions.insert(functions.end(), more->begin(), more->end());
    }
    if (std::exchange(python.hand_over, functions) == functions) {
        return;  // where these are mapped is known
    }
    const auto mappings = mappings_of(local_pid);
    python.writes = functions_at(local_pid, mappings, transport.writes);
    python.fast_writes = functions_at(local_pid, mappings, transport.fast_writes);
    python.copies = functions_at(local_pid, mappings, {found.copy_context});
    python.puts = functions_at(local_pid, mappings, found.puts);
    python.gets = functions_at(local_pid, mappings, found.gets);
}

PythonProcess find_python(std::uint32_t local_pid) {
    PythonProcess process;
    const auto mappings = mappings_of(local_pid);
    const auto image = interpreter_image(local_pid, mappings);
    if (!image) {
        return process;
    }
    process.present = true;
    runtime::CPythonSymbols symbols{};
    const auto addresses = image->elf.addresses(runtime::kCPythonSymbols);
    std::transform(addresses.begin(), addresses.end(), symbols.begin(),
                   [&](std::uint64_t address) { return address == 0 ? 0 : address + image->bias; });
    const ProcessMemory behind(local_pid);
    const runtime::PagedMemory memory(behind);
    const auto examination = runtime::examine_cpython(symbols, memory);
    process.state = examination.state;
    process.version = examination.version;
    process.reason = examination.reason;
    if (process.state != runtime::CPythonState::followed) {
        return process;
    }
    process.config = config_of(examination.found);
    process.config.data_stack = runtime::find_data_stack(examination.found, memory);
    process.found = examination.found;
    find_python_task(local_pid, process);
    process.makers = functions_at(local_pid, mappings, examination.found.makers);
    return process;
}

}  // namespace timesink::live
