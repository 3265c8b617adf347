"""fazflow-policy-gate decides about what agents do: bundles of Cedar policies, requests, errors."""

from fazflow_policy_gate import PolicyGate, PolicyGateError
from running import run

BUNDLES = [
    {"versao": "v1", "politicas": '@id("all") permit(principal, action, resource);'},
    {"versao": "v2", "politicas": '@id("u") permit(principal is User, action, resource);'},
    {"versao": "v3", "politicas": "permit(principal, action"},
    {"politicas": 3},
]
NUMBERS = [
    "agora_epoch",
    "ambiente",
    "assurance",
    "classificacao",
    "contem_pessoal",
    "custo_mes_centavos",
    "delegation_depth",
    "delegation_unique",
    "grounding_score",
    "hora_local",
    "injection_score",
    "manifest_hash",
    "origem_input",
]
REQUEST = {
    "user": 'User::"u_8891"',
    "agent": 'Agent::"copiloto"',
    "action": "Tool::query",
    "resource": 'Dataset::"notas"',
    "context": dict.fromkeys(NUMBERS, 0) | {"delegation_chain": ["a"]},
    "entities": [],
}
gate = PolicyGate.load()


def answer(call, *arguments):
    """What a call gives, or its error."""
    try:
        return call(*arguments)
    except PolicyGateError as problem:
        return [problem.codigo, problem.detalhe]


def job() -> object:
    """Each bundle with requests that are whole and that are not."""
    found = [gate.version()]
    for bundle in BUNDLES:
        loaded = answer(gate.load_bundle, bundle)
        requests = [REQUEST, {**REQUEST, "context": {}}, {**REQUEST, "action": "?"}, {}]
        found.append([loaded, *(answer(gate.evaluate, one) for one in requests)])
    found.append([gate.unload_bundle(), gate.unload_bundle()])
    return found


run(job)
