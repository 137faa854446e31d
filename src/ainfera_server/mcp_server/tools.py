"""What an agent may do through MCP: every tool, in one list and in this order."""

from typing import Any

from mcp_types import ToolAnnotations

from ainfera_server.mcp_server import agents, cards, evidence, inferences, wallets
from ainfera_server.mcp_server.tool import Tool

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ADDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
REPLACES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False
)
SPENDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
"""An inference is paid for from the wallet and asks somebody outside."""

TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="get_agent",
        title="Look at an agent",
        description="Who an agent is: name, address, public key, status and what it may spend.",
        takes=agents.OfAgent,
        gives=agents.AgentFound,
        annotations=READS,
        opens="key",
        run=agents.get_agent,
    ),
    Tool(
        name="get_wallet",
        title="Look into a wallet",
        description="What an agent's wallet holds, and how much of it running calls set aside.",
        takes=agents.OfAgent,
        gives=wallets.WalletFound,
        annotations=READS,
        opens="key",
        run=wallets.get_wallet,
    ),
    Tool(
        name="topup_wallet",
        title="Put money into a wallet",
        description="Adds US dollars to an agent's wallet. Moves money: needs confirm to be true.",
        takes=wallets.TopUp,
        gives=wallets.ToppedUp,
        annotations=ADDS,
        opens="owner",
        run=wallets.topup_wallet,
    ),
    Tool(
        name="inference",
        title="Ask a model",
        description="Asks the cheapest model that is good enough, or the one you name. Spends money"
        " from the agent's wallet, within its caps; a refusal costs nothing.",
        takes=inferences.Question,
        gives=inferences.AnswerGiven,
        annotations=SPENDS,
        opens="key",
        run=inferences.infer,
    ),
    Tool(
        name="read_audit_chain",
        title="Read an audit chain",
        description="The recorded events of an agent of yours, oldest first, a page at a time.",
        takes=evidence.PageOfChain,
        gives=evidence.ChainRead,
        annotations=READS,
        opens="key",
        run=evidence.read_audit_chain,
    ),
    Tool(
        name="verify_audit_chain",
        title="Verify an audit chain",
        description="Checks every hash and signature of any agent's chain, and names the first that"
        " does not hold.",
        takes=agents.OfAgent,
        gives=evidence.ChainVerdict,
        annotations=READS,
        opens="key",
        run=evidence.verify_audit_chain,
    ),
    Tool(
        name="get_decision",
        title="Why a call went where it went",
        description="The routing decision behind a call: every candidate, its price, and its rank"
        " or the reason why it was dropped. A call that named its model has none.",
        takes=evidence.OfInference,
        gives=evidence.DecisionFound,
        annotations=READS,
        opens="key",
        run=evidence.get_decision,
    ),
    Tool(
        name="verify_receipt",
        title="Verify a receipt",
        description="Checks the signature of a receipt of yours, and gives all that is needed to"
        " check it again without us.",
        takes=evidence.OfReceipt,
        gives=evidence.ReceiptVerdict,
        annotations=READS,
        opens="key",
        run=evidence.verify_receipt,
    ),
    Tool(
        name="mint_agent_card",
        title="Mint an agent card",
        description="Issues another signed card that says who an agent of yours is.",
        takes=agents.OfAgent,
        gives=cards.CardMinted,
        annotations=ADDS,
        opens="owner",
        run=cards.mint_card,
    ),
    Tool(
        name="rotate_agent_card",
        title="Rotate an agent's key",
        description="Gives an agent of yours a new key and a card under it. Cards of the key before"
        " count for seven more days, or as long as you say.",
        takes=cards.Rotation,
        gives=cards.CardRotated,
        annotations=REPLACES,
        opens="owner",
        run=cards.rotate_card,
    ),
    Tool(
        name="verify_agent_card",
        title="Verify an agent card",
        description="Checks a card that somebody showed against the keys on record of its agent.",
        takes=cards.CardToVerify,
        gives=cards.CardVerdict,
        annotations=READS,
        opens="key",
        run=cards.verify_card,
    ),
)
