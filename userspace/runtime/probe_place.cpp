#include "runtime/probe_place.hpp"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <array>

namespace timesink::runtime {

namespace {

constexpr std::size_t kPrologueInstructions = 24;  // a prologue is over by then

constexpr std::array kSystemVArguments{ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDX,
                                       ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_R8,  ZYDIS_REGISTER_R9};
constexpr std::array kGoArguments{ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_RBX, ZYDIS_REGISTER_RCX,
                                  ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_R8,
                                  ZYDIS_REGISTER_R9,  ZYDIS_REGISTER_R10, ZYDIS_REGISTER_R11};

std::span<const ZydisRegister> arguments(Convention convention) {
    return convention == Convention::go ? std::span<const ZydisRegister>(kGoArguments) : kSystemVArguments;
}

struct Instruction {
    ZydisDecodedInstruction decoded{};
    std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};

    [[nodiscard]] bool writes(ZydisRegister wanted) const {
        return std::any_of(operands.begin(), operands.begin() + decoded.operand_count, [&](const ZydisDecodedOperand& operand) {
            return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0 &&
                   ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand.reg.value) == wanted;
        });
    }
    [[nodiscard]] bool writes_any(std::span<const ZydisRegister> wanted) const {
        return std::any_of(wanted.begin(), wanted.end(), [this](ZydisRegister one) { return writes(one); });
    }
    [[nodiscard]] bool is(ZydisInstructionCategory category) const { return decoded.meta.category == category; }
    [[nodiscard]] bool jumps_to_constant() const {
        return decoded.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE && decoded.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR &&
               operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].imm.is_relative == ZYAN_TRUE;
    }
    /// From the begin of the code, for an instruction that lies at `at`. Precondition: jumps_to_constant().
    [[nodiscard]] std::int64_t target(std::size_t at) const {
        return static_cast<std::int64_t>(at) + decoded.length + operands[0].imm.value.s;
    }
    /// The kernel does it without a step. A prefix for 16 bits makes it refuse.
    [[nodiscard]] bool is_done_by_kernel() const {
        if ((decoded.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0) {
            return false;
        }
        const bool pushes_register =
            decoded.mnemonic == ZYDIS_MNEMONIC_PUSH && operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER && decoded.length <= 2;
        const bool jumps = is(ZYDIS_CATEGORY_CALL) || is(ZYDIS_CATEGORY_COND_BR) || is(ZYDIS_CATEGORY_UNCOND_BR);
        const bool counts = decoded.opcode >= 0xe0 && decoded.opcode <= 0xe3 && decoded.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
        return pushes_register || (jumps && jumps_to_constant() && !counts);
    }
    [[nodiscard]] bool leaves() const {
        return is(ZYDIS_CATEGORY_RET) || is(ZYDIS_CATEGORY_UNCOND_BR) || is(ZYDIS_CATEGORY_CALL) || is(ZYDIS_CATEGORY_SYSCALL) ||
               is(ZYDIS_CATEGORY_INTERRUPT) || decoded.mnemonic == ZYDIS_MNEMONIC_UD2;
    }
};

class Code {
public:
    explicit Code(std::span<const std::byte> bytes) : bytes_(bytes.first(std::min(bytes.size(), kCodeLooked))) {
        ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    }

    [[nodiscard]] std::optional<Instruction> at(std::size_t offset) const {
        Instruction found;
        if (offset >= bytes_.size() ||
            !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, bytes_.data() + offset, bytes_.size() - offset, &found.decoded,
                                                 found.operands.data()))) {
            return std::nullopt;
        }
        return found;
    }

    /// Something jumps behind the entry and not behind `place`: that would be passed more than once, or without the entry.
    [[nodiscard]] bool comes_back(std::size_t place) const {
        for (std::size_t offset = 0; offset < bytes_.size();) {
            const auto found = at(offset);
            if (found && found->jumps_to_constant() && !found->is(ZYDIS_CATEGORY_CALL)) {
                const std::int64_t target = found->target(offset);
                if (target > 0 && target <= static_cast<std::int64_t>(place)) {
                    return true;
                }
            }
            offset += found ? found->decoded.length : 1;  // padding, or data between functions
        }
        return false;
    }

private:
    std::span<const std::byte> bytes_;
    ZydisDecoder decoder_{};
};

}  // namespace

std::optional<std::size_t> cheap_place(std::span<const std::byte> bytes, Convention convention, bool returns) {
    const Code code(bytes);
    std::size_t offset = 0;
    for (std::size_t i = 0; i < kPrologueInstructions; ++i) {
        const auto found = code.at(offset);
        if (!found) {
            return std::nullopt;
        }
        if (found->is_done_by_kernel()) {
            return offset != 0 && code.comes_back(offset) ? std::nullopt : std::optional(offset);
        }
        const bool moves_stack = returns && found->writes(ZYDIS_REGISTER_RSP);
        if (found->leaves() || found->is(ZYDIS_CATEGORY_COND_BR) || moves_stack || found->writes_any(arguments(convention))) {
            return std::nullopt;
        }
        offset += found->decoded.length;
    }
    return std::nullopt;
}

std::optional<Callee> first_callee(std::span<const std::byte> bytes) {
    const Code code(bytes);
    Callee callee{.offset = 0, .same_arguments = true};
    std::size_t offset = 0;
    for (std::size_t i = 0; i < kPrologueInstructions; ++i) {
        const auto found = code.at(offset);
        if (found && found->is(ZYDIS_CATEGORY_CALL) && found->jumps_to_constant()) {
            callee.offset = found->target(offset);
            return callee;
        }
        if (!found || found->leaves()) {
            return std::nullopt;
        }
        callee.same_arguments =
            callee.same_arguments && !found->is(ZYDIS_CATEGORY_COND_BR) && !found->writes_any(arguments(Convention::system_v));
        offset += found->decoded.length;
    }
    return std::nullopt;
}

std::optional<std::size_t> only_call(std::span<const std::byte> bytes, std::int64_t callee) {
    const Code code(bytes);
    std::optional<std::size_t> place;
    std::size_t offset = 0;
    while (const auto found = code.at(offset)) {
        if (found->jumps_to_constant() && found->is(ZYDIS_CATEGORY_CALL) && found->target(offset) == callee) {
            if (place) {
                return std::nullopt;
            }
            place = offset;
        }
        if (found->jumps_to_constant() && found->is(ZYDIS_CATEGORY_UNCOND_BR) && found->target(offset) == 0) {
            return place;
        }
        offset += found->decoded.length;
    }
    return std::nullopt;
}

}  // namespace timesink::runtime
