import asyncio, time
from dataclasses import replace
from tests.test_database_outage import *
from tests.test_database_outage import household, proxied, impatient
async def test_mid(impatient, database):
    async with proxied(database) as proxy, household(replace(impatient, database_url=proxy.dsn, statement_seconds=1)) as home:
        out=[]
        async def spend():
            while not done:
                t=time.perf_counter()
                a,_=await home.ask("POST", home.team.path+"/expenses", {"description":"x","amount":1})
                out.append((a.status, round(time.perf_counter()-t,2)))
        done=False
        for _ in range(3):
            tasks=[asyncio.create_task(spend()) for _ in range(4)]
            await asyncio.sleep(0.3)
            proxy.swallow()
            await asyncio.sleep(6)
            print(sorted(out, key=lambda x:-x[1])[:10])
            done=True
            proxy.heal()
            t=time.perf_counter()
            await home.recovers(10)
            print("recovered", time.perf_counter()-t)
            await asyncio.gather(*tasks)
            done=False; out.clear()
            await home.pool_is_whole()
