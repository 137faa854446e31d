"""Probe."""
import anthropic, openai, pytest, time, json, httpx

from tests.conftest import Look
CH=[{"role":"user","content":"hi"}]
def show(name, f):
    try:
        r=f()
        print("\n##",name,"OK",repr(r)[:1500])
    except Exception as e:
        print("\n##",name,type(e).__mro__[:3], str(e)[:400], getattr(e,'body',None), getattr(e,'request_id',None), getattr(e,'type',None), getattr(e,'code',None), dict(getattr(getattr(e,'response',None),'headers',{}) or {}))

def test_probe_one(server, scripted_provider, openai_client, anthropic_client, ainfera_agent, house, monkeypatch):
    o=openai_client; a=anthropic_client
    oc=lambda **k: o.chat.completions.create(**{"model":"gpt-5-5","messages":CH,"max_tokens":50,**k})
    ac=lambda **k: a.messages.create(**{"model":"claude-opus-4-7","messages":CH,"max_tokens":50,**k})
    ai=lambda **k: ainfera_agent.inference(**{"model":"gpt-5-5","messages":CH,"max_tokens":50,**k})
    show("o",oc); show("a",ac); show("ai",ai)
    for s in (400,401,402,403,404,408,409,413,422,429,500,503,504,529):
        for n,f in (("o",oc),("a",ac),("ai",ai)):
            scripted_provider.requests.clear()
            scripted_provider.fails(status=s,message=f"told {s}", retry_after=None)
            t=time.monotonic()
            if n=="o": o2=o.with_options(max_retries=0); show(f"{n} {s}", lambda: o2.chat.completions.create(model="gpt-5-5",messages=CH,max_tokens=50))
            elif n=="a": a2=a.with_options(max_retries=0); show(f"{n} {s}", lambda: a2.messages.create(model="claude-opus-4-7",messages=CH,max_tokens=50))
            else: show(f"{n} {s}", f)
            print("requests", len(scripted_provider.requests), time.monotonic()-t)
